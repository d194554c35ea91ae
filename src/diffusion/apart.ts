/** Steps that ranks make apart: what the history of losses learns of them when the ranks meet. */

import { float32, joined } from '../base/ndarray.ts';
import type { Ranks } from '../mpi/ranks.ts';
import { gatherBatch } from '../stage/data-parallel.ts';
import { type TimestepState, updateHistory } from './timesteps.ts';

/** The steps since the ranks have parted. */
export class ApartSteps {
  private steps: { readonly all: Int32Array; readonly kl: Float32Array }[] = [];

  /** @param count samples of each rank in a step. */
  constructor(
    private readonly ranks: Ranks,
    private readonly count: number,
  ) {}

  /** @param all the times of the whole batch, [batch]. @param kl the KL terms of this rank's share, [count]. */
  add(all: Int32Array, kl: Float32Array): void {
    this.steps.push({ all, kl });
  }

  clear(): void {
    this.steps = [];
  }

  /** The history after these steps of all ranks, on every rank the same; then there are none. */
  async joined(times: TimestepState): Promise<TimestepState> {
    const { steps, count } = this;
    this.steps = [];
    const own = joined(steps.map(({ kl }) => kl));
    const { data } = await gatherBatch(this.ranks, float32(own, [own.length]));
    // Of every rank all steps lie together.
    const at = (step: number, i: number) => Math.floor(i / count) * own.length + step * count + (i % count);
    return steps.reduce((history, { all }, step) => {
      const kl = Array.from(all, (_, i) => data[at(step, i)]!);
      return updateHistory(history, all, kl);
    }, times);
  }
}
