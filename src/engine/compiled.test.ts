/** Programs compiled on demand: once each, so many kept, none released while it runs. */

import { describe, expect, it } from 'vitest';
import { type NDArray, scalar } from '../base/ndarray.ts';
import * as g from '../graph/index.ts';
import { CompiledPrograms } from './compiled.ts';
import type { Executor } from './executor.ts';

/** An executor that records what is called; runs end when `finish` is called, or at once. */
function diary({ waits = false } = {}) {
  const log: string[] = [];
  const waiting: (() => void)[] = [];
  const executor: Executor = {
    device: 'cpu',
    async compile(_, { name } = {}) {
      log.push(`compile ${name}`);
      return {
        async run() {
          log.push(`run ${name}`);
          if (waits) await new Promise<void>((resolve) => waiting.push(resolve));
          return { x: scalar(1) };
        },
        async release() {
          log.push(`release ${name}`);
        },
      };
    },
    give: async () => {},
    upload: async () => {},
  };
  return { log, executor, finish: () => waiting.splice(0).map((resolve) => resolve()) };
}
const program = () => g.trace({ x: g.f32() }, ({ x }) => ({ x }));
const feeds: Readonly<Record<string, NDArray>> = { x: scalar(0) };

describe('compiled programs', () => {
  it('are compiled once, and the one used longest ago leaves when there are too many', async () => {
    const { log, executor } = diary();
    const programs = new CompiledPrograms(executor, 2);
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await programs.run(name, program, feeds);
    expect(log.filter((line) => line.startsWith('compile'))).toEqual([
      'compile a',
      'compile b',
      'compile c',
      'compile b',
    ]);
    expect(log.filter((line) => line.startsWith('release'))).toEqual(['release b', 'release c']);
    await programs.release();
    expect(log.slice(-2)).toEqual(['release a', 'release b']);
  });

  it('stay as long as they run', async () => {
    const { log, executor, finish } = diary({ waits: true });
    const programs = new CompiledPrograms(executor, 1);
    const both = [programs.run('a', program, feeds), programs.run('b', program, feeds)];
    await new Promise((resolve) => setTimeout(resolve));
    expect(log).toEqual(['compile a', 'compile b', 'run a', 'run b']);
    finish();
    await Promise.all(both);
    expect(log.slice(4)).toEqual(['release a']);
  });

  it('that could not be compiled are tried again', async () => {
    const { log, executor } = diary();
    let failing = true;
    const programs = new CompiledPrograms(
      {
        ...executor,
        compile: (...given) => (failing ? Promise.reject(new Error('no memory')) : executor.compile(...given)),
      },
      1,
    );
    await expect(programs.run('a', program, feeds)).rejects.toThrow('no memory');
    failing = false;
    expect(await programs.run('a', program, feeds)).toEqual({ x: scalar(1) });
    expect(log).toEqual(['compile a', 'run a']);
  });
});
