/** Programs that are compiled when they are first needed, of which a limited number is kept. */

import type { NDArray, Tree } from '../base/ndarray.ts';
import type { Program } from '../graph/index.ts';
import type { Executable, Executor } from './executor.ts';

interface Kept {
  readonly program: Promise<Executable>;
  /** Runs that are under way. */
  running: number;
}

/**
 * Compiled programs by name. Once there are more than `most`, those that were used longest ago are released: programs
 * for many batch sizes would pile up memory.
 */
export class CompiledPrograms {
  /** The most recently used last. */
  private readonly kept = new Map<string, Kept>();

  constructor(
    private readonly executor: Executor,
    private readonly most: number,
  ) {}

  /** Run the program of this name, which `write` traces if it is not there. */
  async run(name: string, write: () => Program, feeds: Tree<NDArray>): Promise<Record<string, NDArray>> {
    const entry = this.kept.get(name) ?? { program: this.executor.compile(write(), { name }), running: 0 };
    this.kept.delete(name);
    this.kept.set(name, entry);
    entry.running++;
    try {
      return await (await entry.program.catch((error: unknown) => this.forget(name, error))).run(feeds);
    } finally {
      entry.running--;
      await this.releaseOldest();
    }
  }

  /** Release all of them. */
  async release(): Promise<void> {
    const all = [...this.kept.values()];
    this.kept.clear();
    for (const { program } of all) await (await program).release();
  }

  /** What could not be compiled may be tried again. */
  private forget(name: string, error: unknown): never {
    this.kept.delete(name);
    throw error;
  }

  private async releaseOldest(): Promise<void> {
    for (const [name, { program, running }] of this.kept) {
      if (this.kept.size <= this.most) return;
      if (running > 0) continue;
      this.kept.delete(name);
      await (await program).release();
    }
  }
}
