/** Programs that add up over ranks while they run. */

import type { NDArray } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import type { CompileOptions, Engine, Executable } from '../engine/engine.ts';
import { STATE, statePath } from '../engine/state-paths.ts';
import { type Program, segmentsOf } from '../graph/index.ts';
import type { Ranks } from '../mpi/ranks.ts';
import { Reduction } from './data-parallel.ts';

/** The state path of what passes between the segments of a program. It is there while the program runs. */
const PASSING = 'passing';

/** A segment, compiled. */
interface Part {
  readonly executable: Executable;
  /** The names of what it reads, state and feeds. */
  readonly inputs: readonly string[];
  /** Adds up what the next segment reads. */
  readonly reduction?: Reduction;
}

/**
 * Compile a program for all ranks, each of which runs it on its share of the batch: it runs up to its first sums over
 * the ranks (`g.sumOverRanks`), and goes on when they are made. All ranks run it at the same time. A program without
 * such sums is compiled as it is.
 */
export async function compileOverRanks(
  engine: Engine,
  ranks: Ranks,
  program: Program,
  { name, ...options }: CompileOptions & { readonly name: string },
): Promise<Executable> {
  const segments = segmentsOf(program, (index) => statePath(`${PASSING}.${index}`));
  if (segments.length === 1) return engine.compile(program, { name, ...options });

  const parts: Part[] = [];
  for (const [i, { program, sums }] of segments.entries()) {
    const isLast = i === segments.length - 1;
    const executable = await engine.compile(program, { name: `${name} ${i + 1}`, ...options });
    const paths = sums.map((sum) => sum.slice(STATE.length + 1));
    const reduction = isLast ? {} : { reduction: new Reduction(engine, ranks, paths) };
    parts.push({ executable, inputs: Object.keys(program.inputs), ...reduction });
  }
  return {
    async run(tree) {
      const feeds = flatten<NDArray>(tree);
      let results: Record<string, NDArray> = {};
      for (const { executable, inputs, reduction } of parts) {
        const read = inputs.flatMap((name) => (feeds[name] ? [[name, feeds[name]] as const] : []));
        results = await executable.run(Object.fromEntries(read));
        await reduction?.run();
      }
      await engine.drop(PASSING);
      return results;
    },
    async release() {
      for (const { executable } of parts) await executable.release();
    },
  };
}
