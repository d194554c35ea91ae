/** Programs that are run once for each micro-batch. */

import { type NDArray, scalar } from '../base/ndarray.ts';
import type { Executable } from '../engine/executor.ts';

type Arrays = Readonly<Record<string, NDArray>>;

/** Runs a program once for the feeds of each micro-batch, one after another, and returns the results of each. */
export async function runEach(program: Executable, feeds: readonly Arrays[]): Promise<Arrays[]> {
  const results: Arrays[] = [];
  for (const one of feeds) results.push(await program.run(one));
  return results;
}

/**
 * Runs a program that adds to sums in the engine's state, once for the feeds of each micro-batch. Its input `keep` is 0
 * for the first one, which thus begins the sums anew, and 1 for the others (`addedUp` of `optim/micro-batches.ts`).
 * @param extra further feeds of micro-batch `index`.
 * @returns the results of each.
 */
export function accumulate(
  program: Executable,
  feeds: readonly Arrays[],
  extra?: (index: number) => Arrays,
): Promise<Arrays[]> {
  const keeping = feeds.map((one, i) => ({ ...one, keep: scalar(i === 0 ? 0 : 1), ...extra?.(i) }));
  return runEach(program, keeping);
}
