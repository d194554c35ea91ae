/** The engine's promise to its caller: while a program runs, the main thread's timers fire. */

import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { float32 } from '../base/ndarray.ts';
import * as g from '../graph/index.ts';
import { Engine, type Executable } from './engine.ts';

const INTERVAL = 5;
const SIZE = 512;
const PRODUCTS = 300;
const x = float32(new Float32Array(SIZE * SIZE).fill(1 / SIZE), [SIZE, SIZE]);

/** Half a second or so of work. A chain, so that no product can be left out or shared: x · x = x for this x. */
const longProgram = g.trace({ x }, ({ x: factor }) => {
  let y = factor;
  for (let i = 0; i < PRODUCTS; i++) y = g.matmul(y, factor);
  return { y };
});

const engine = Engine.start({ threads: 1 });
afterAll(() => engine.close());

/** The longest gap between two ticks of an interval timer while something runs, and how long that ran, in ms. */
async function longestGap(task: () => Promise<unknown>): Promise<{ gap: number; took: number }> {
  const start = performance.now();
  let last = start;
  let gap = 0;
  const tick = () => {
    const now = performance.now();
    gap = Math.max(gap, now - last);
    last = now;
  };
  const timer = setInterval(tick, INTERVAL);
  await task();
  clearInterval(timer);
  tick();
  return { gap, took: last - start };
}

it('lets the timers of the main thread fire while a program runs', async () => {
  const program = await engine.compile(longProgram);
  await program.run({ x });
  const { gap, took } = await longestGap(() => program.run({ x }));
  console.info(`A ${INTERVAL} ms timer did not fire for at most ${gap.toFixed(1)} ms of a ${took.toFixed(0)} ms run`);
  // Were the run on this thread, the gap would be all of it.
  expect(gap).toBeLessThan(took / 2);
});

it('answers every request, one at a time', async () => {
  const program = await engine.compile(g.trace({ x: g.f32() }, (inputs) => ({ y: g.mul(inputs.x, 2) })));
  const answers = await Promise.all([1, 2, 3, 4].map((value) => program.run({ x: float32([value], []) })));
  expect(answers.map(({ y }) => y!.data[0])).toEqual([2, 4, 6, 8]);
});

it('rejects what is under way and what is called later when it is closed', async () => {
  const other = Engine.start({ threads: 1 });
  const program = await other.compile(longProgram);
  const underWay = expect(program.run({ x })).rejects.toThrow(/closed/);
  await other.close();
  await underWay;
  await expect(program.run({ x })).rejects.toThrow(/closed/);
});

it('ends when its scope does', async () => {
  let program: Executable;
  {
    await using other = Engine.start({ threads: 1 });
    program = await other.compile(g.trace({ x: g.f32() }, (inputs) => ({ y: g.mul(inputs.x, 2) })));
    expect((await program.run({ x: float32([3], []) })).y!.data[0]).toBe(6);
  }
  await expect(program.run({ x: float32([3], []) })).rejects.toThrow(/closed/);
});

describe('a program that never closes its engine', () => {
  const engineFile = createRequire(import.meta.url).resolve('clip-vqdiffusion/workers/engine');
  const run = async (lines: readonly string[]): Promise<string> => {
    const modules = new URL('../', pathToFileURL(engineFile));
    const script = `
      import { Engine } from '${new URL('engine/engine.js', modules)}';
      import * as g from '${new URL('graph/index.js', modules)}';
      const x = { dtype: 'float32', shape: [], data: Float32Array.of(3) };
      ${lines.join('\n')}`;
    const args = ['--input-type=module', '--eval', script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
    return stdout.trim();
  };
  const compile = [
    'const engine = Engine.start({ threads: 1 });',
    'const program = await engine.compile(g.trace({ x }, ({ x }) => ({ y: g.mul(x, 2) })));',
  ];

  // `execFile` rejects where the exit code is not 0, and where the time runs out.
  it('exits by itself when all is done, and not before', async () => {
    const out = await run([...compile, 'program.run({ x }).then(({ y }) => console.log(y.data[0]));']);
    expect(out).toBe('6');
  });

  it('exits also where it never used the engine', async () => {
    expect(await run(['Engine.start();', "console.log('started');"])).toBe('started');
  });
});
