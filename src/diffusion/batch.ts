/**
 * The batches of the diffusion stage: codes, times, noise and conditions, each a pure function of the step and the
 * history of losses.
 */

import { float32, int32 } from '../base/ndarray.ts';
import { normalBatch, uniformBatch, uniforms } from '../random/noise.ts';
import type { Shuffle } from '../random/shuffle.ts';
import type { DiffusionSettings } from '../recipe/schema.ts';
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
}

/**
 * What a step is fed for its batch (see `Batch`): all that is random is drawn from (seed, stream, step, sample index).
 */
export function drawBatch(step: number, { name, latents, shuffle, schedule, settings, seed, times }: BatchSource) {
  const { batch, noiseScale, nullProbability } = settings;
  const { tokens, dim } = latents;
  const samples = Array.from({ length: batch }, (_, i) => i);
  const key = (stream: string) => ({ seed, stream: `${name}/${stream}`, step });
  const rows = shuffle.batch(step, batch);
  const views = shuffle.epochs(step, batch).map((epoch) => epoch % latents.views);
  const { codes: x0, embeddings } = latents.gather(rows, views);
  const { t, pt } = drawTimesteps(
    times,
    samples.map((i) => uniforms(key('time'), i, 1)[0]!),
  );
  const xt = corrupt(
    schedule,
    x0,
    t,
    samples.flatMap((i) => [...uniforms(key('corrupt'), i, tokens)]),
  );
  const condition = pseudoText(embeddings, normalBatch(key('condition'), samples, dim), noiseScale, dim);
  const dropped = uniformBatch(key('drop'), samples, 1).map((u) => (u < nullProbability ? 1 : 0));
  return {
    x0: int32(x0, [batch, tokens]),
    xt: int32(xt, [batch, tokens]),
    t: int32(t, [batch]),
    pt: float32(Float32Array.from(pt), [batch]),
    condition: float32(condition, [batch, dim]),
    dropped: float32(dropped, [batch, 1]),
  };
}
