/**
 * The batches of the diffusion stage: codes, times, noise and conditions, each a pure function of the step and the
 * history of losses.
 */

import { float32, int32 } from '../base/ndarray.ts';
import { normalBatch, uniformBatch, uniforms } from '../random/noise.ts';
import type { Shuffle } from '../random/shuffle.ts';
import type { DiffusionSettings } from '../recipe/schema.ts';
import { numbersOf, type Samples } from '../stage/data-parallel.ts';
import { pseudoText } from './condition.ts';
import { corrupt } from './corrupt.ts';
import type { Latents } from './latents.ts';
import type { Schedule } from './process/schedule.ts';
import { drawTimesteps, type TimestepState } from './timesteps.ts';

/** What batches are drawn from. */
export interface BatchSource {
  readonly name: string;
  readonly latents: Latents;
  readonly shuffle: Shuffle;
  readonly schedule: Schedule;
  readonly settings: DiffusionSettings;
  readonly seed: number;
  readonly times: TimestepState;
  /** What of the batch is drawn; by default all of it. */
  readonly own?: Samples | undefined;
}

/**
 * What a step is fed for its batch (see `Batch`), or for some samples of it: all that is random is drawn from (seed,
 * stream, step, sample index). With it come the times of the whole batch, `all`.
 */
export function drawBatch(step: number, { name, latents, shuffle, schedule, settings, seed, times, own }: BatchSource) {
  const { batch, noiseScale, nullProbability } = settings;
  const { tokens, dim } = latents;
  const { first, count } = own ?? { first: 0, count: batch };
  const samples = numbersOf({ first, count });
  const key = (stream: string) => ({ seed, stream: `${name}/${stream}`, step });
  const rows = shuffle.batch(step, batch).subarray(first, first + count);
  const views = shuffle.epochs(step, batch).map((epoch) => epoch % latents.views);
  const { codes: x0, embeddings } = latents.gather(rows, views.subarray(first, first + count));
  const all = drawTimesteps(
    times,
    numbersOf({ first: 0, count: batch }).map((i) => uniforms(key('time'), i, 1)[0]!),
  );
  const t = all.t.slice(first, first + count);
  const xt = corrupt(
    schedule,
    x0,
    t,
    samples.flatMap((i) => [...uniforms(key('corrupt'), i, tokens)]),
  );
  const condition = pseudoText(embeddings, normalBatch(key('condition'), samples, dim), noiseScale, dim);
  const dropped = uniformBatch(key('drop'), samples, 1).map((u) => (u < nullProbability ? 1 : 0));
  return {
    feeds: {
      x0: int32(x0, [count, tokens]),
      xt: int32(xt, [count, tokens]),
      t: int32(t, [count]),
      pt: float32(Float32Array.from(all.pt.subarray(first, first + count)), [count]),
      condition: float32(condition, [count, dim]),
      dropped: float32(dropped, [count, 1]),
    },
    all: all.t,
  };
}
