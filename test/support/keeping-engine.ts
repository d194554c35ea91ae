/**
 * Engines for tests with the same programs: most of the time of such tests goes into compiling. Files follow each other
 * in a process, and go on with the engines of those before, which know the programs that files have in common.
 */

import { createHash } from 'node:crypto';
import { afterAll, vi } from 'vitest';
import { bytesOf } from '../../src/base/ndarray.ts';
import { Engine, type EngineOptions, type Executable } from '../../src/engine/engine.ts';
import type { CompileOptions } from '../../src/engine/executor.ts';
import { footprint, needsOf, type ProgramNeeds } from '../../src/engine/memory/footprint.ts';
import { partition } from '../../src/engine/partition.ts';
import { operandsOf, type Program, schedule, type Tensor } from '../../src/graph/index.ts';

interface Kept {
  readonly executable: Promise<Executable>;
  /** Planned when it is first read. */
  needs(): ProgramNeeds;
}

/** An engine that compiles each program once, and gives none back. */
class KeepingEngine {
  private readonly kept = new Map<string, Kept>();

  constructor(readonly engine: Engine) {}

  /** A program that is node by node one that was compiled before is that one. */
  compile(program: Program, options: CompileOptions): Kept {
    const key = keyOf(program, options);
    const before = this.kept.get(key);
    if (before) return before;
    let needs: ProgramNeeds | undefined;
    const kept: Kept = {
      executable: this.engine.compile(program, options),
      needs: () => (needs ??= needsOf(program, partition(program, this.engine.device, options).core, options)),
    };
    this.kept.set(key, kept);
    kept.executable.catch(() => this.kept.delete(key));
    return kept;
  }

  /** The engine as one that has just been started, until it is closed, which only forgets the state. */
  lend(onClose: () => void): Engine {
    const { engine } = this;
    const there = new Map<Executable, Kept>();
    let isOpen = true;
    const compile = async (program: Program, options: CompileOptions = {}): Promise<Executable> => {
      if (!isOpen) throw new Error('The engine is closed');
      const kept = this.compile(program, options);
      const executable = await kept.executable;
      const own: Executable = {
        run: (feeds) => {
          if (!there.has(own)) throw new Error(`${options.name} was released: it cannot run any more`);
          return executable.run(feeds);
        },
        release: async () => void there.delete(own),
      };
      there.set(own, kept);
      return own;
    };
    const close = async () => {
      if (!isOpen) return;
      isOpen = false;
      there.clear();
      await engine.drop('');
      onClose();
    };
    const lent: Engine = Object.create(engine);
    return Object.assign(lent, {
      ...{ compile, close, footprint: () => footprint([...there.values()].map((one) => one.needs())) },
      [Symbol.asyncDispose]: close,
    });
  }
}

const start = Engine.start.bind(Engine);

/** Those of this process that nobody uses, by their options. An engine keeps no process alive. */
const idle = new Map<string, KeepingEngine[]>();

function lend(options: EngineOptions): Engine {
  const key = JSON.stringify(options);
  const waiting = idle.get(key) ?? [];
  idle.set(key, waiting);
  const keeping = waiting.pop() ?? new KeepingEngine(start(options));
  return keeping.lend(() => void waiting.push(keeping));
}

/**
 * An engine of a single thread that keeps what it has compiled. That giving back a program loses none of the state is
 * checked in `src/engine/engine.test.ts`, and over the phases of a run in `src/vqgan/stage.test.ts`.
 */
export const startKeepingEngine = (): Engine => lend({ threads: 1 });

/**
 * From here to the end of the file, an engine that the code under test starts in this process is one that was closed
 * before, if there is one of the same options: it has forgotten the state, and knows the programs. Starting and ending
 * are checked in `src/engine/worker.test.ts` and `src/engine/engine.test.ts`, and with the whole program in
 * `test/examples.test.ts`, where it is a process of its own.
 */
export function shareEngines(): void {
  const spy = vi
    .spyOn(Engine, 'start')
    .mockImplementation((options: EngineOptions = {}) => (options.profiler ? start(options) : lend(options)));
  afterAll(() => spy.mockRestore());
}

/** A hash of all that a compiled program comes of. */
function keyOf(program: Program, options: CompileOptions): string {
  const hash = createHash('sha256');
  let text = '';
  const names = new Map<Tensor, string>();
  const nameOf = (t: Tensor) => names.get(t)!;
  for (const [at, node] of schedule(program).entries()) {
    node.outputs.forEach((t, i) => {
      names.set(t, `${at}.${i}`);
    });
    const { op, attributes, outputs } = node;
    text += `${op} ${operandsOf(node).map(nameOf)} ${outputs.map(({ dtype, shape }) => `${dtype}[${shape}]`)} `;
    if (!('value' in attributes)) text += JSON.stringify(attributes);
    else {
      hash.update(text).update(bytesOf(attributes.value.data));
      text = '';
    }
  }
  const ends = [program.inputs, program.outputs].map((ends) =>
    Object.entries(ends).map(([name, t]) => [name, names.get(t) ?? `${t.dtype}[${t.shape}]`]),
  );
  return hash
    .update(text)
    .update(JSON.stringify([ends, options]))
    .digest('hex');
}
