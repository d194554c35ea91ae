/**
 * Importance-sampled diffusion times: steps whose loss is large are trained more often, and the loss is divided by
 * p(t).
 */

import type { NDArray } from '../base/ndarray.ts';
import { isFiniteArray, NotFinite } from '../checkpoint/finite.ts';

/**
 * A history of the losses so far, one entry for each time, `[T]`. `history`: running mean of the squared loss L_t^2;
 * `count`: how many samples were drawn at t. Stored in checkpoints.
 */
export interface TimestepState {
  readonly history: Float64Array;
  readonly count: Float64Array;
}

/** Every time must have been drawn more often than this before importance sampling begins. */
const WARM_UP_COUNT = 10;
const HISTORY_DECAY = 0.9;

/** No loss seen yet: times are drawn uniformly. */
export function initialTimesteps(steps: number): TimestepState {
  return { history: new Float64Array(steps), count: new Float64Array(steps) };
}

const [HISTORY, COUNT] = ['times.history', 'times.count'] as const;

/** The state as arrays of a checkpoint. */
export const savedTimesteps = ({ history, count }: TimestepState): Readonly<Record<string, NDArray>> => ({
  [HISTORY]: { dtype: 'float64', shape: [history.length], data: history },
  [COUNT]: { dtype: 'float64', shape: [count.length], data: count },
});

/**
 * The state that `savedTimesteps` gave. @throws NotFinite where a mean or a count is none: every later step would be
 * lost.
 */
export function restoredTimesteps(arrays: Readonly<Record<string, NDArray>>): TimestepState {
  for (const name of [HISTORY, COUNT])
    if (!isFiniteArray(arrays[name]!) || arrays[name]!.data.some((n) => n < 0))
      throw new NotFinite(`the checkpoint's ${name} holds numbers that are no mean of squares or no count`);
  return { history: arrays[HISTORY]!.data as Float64Array, count: arrays[COUNT]!.data as Float64Array };
}

/**
 * p(t) `[T]`: uniform until every time has more than 10 samples, then proportional to sqrt(H_t + 1e-10) + 1e-4, where t
 * = 0 has the weight of t = 1, since its loss is a likelihood and not a divergence.
 */
export function probabilities(state: TimestepState): Float64Array {
  const { history, count } = state;
  const steps = history.length;
  if (!count.every((n) => n > WARM_UP_COUNT)) return new Float64Array(steps).fill(1 / steps);
  const weight = history.map((h) => Math.sqrt(h + 1e-10) + 1e-4);
  if (steps > 1) weight[0] = weight[1]!;
  const total = weight.reduce((sum, w) => sum + w, 0);
  return weight.map((w) => w / total);
}

/** Draws one time per uniform in [0, 1) by inverse CDF. Returns `t` and its probability `pt`, both `[batch]`. */
export function drawTimesteps(
  state: TimestepState,
  uniforms: ArrayLike<number>,
): { t: Int32Array<ArrayBuffer>; pt: Float64Array<ArrayBuffer> } {
  const p = probabilities(state);
  const t = new Int32Array(uniforms.length);
  const pt = new Float64Array(uniforms.length);
  for (let b = 0; b < uniforms.length; b++) {
    let index = 0;
    let reached = p[0]!;
    while (uniforms[b]! >= reached && index < p.length - 1) {
      index += 1;
      reached += p[index]!;
    }
    t[b] = index;
    pt[b] = p[index]!;
  }
  return { t, pt };
}

/**
 * Records a batch: H_t becomes 0.9 H_t + 0.1 L_t^2 and the count of t grows by one per sample. `klLoss` `[batch]` is
 * L_t summed over tokens, without 1/p(t) and without the auxiliary term. Where a time repeats, every sample starts from
 * the old value and the last one in batch order is kept (the reference's scatter), so the result does not depend on how
 * often it repeats.
 */
export function updateHistory(state: TimestepState, t: ArrayLike<number>, klLoss: ArrayLike<number>): TimestepState {
  const history = state.history.slice();
  const count = state.count.slice();
  for (let b = 0; b < t.length; b++) {
    const time = t[b]!;
    history[time] = HISTORY_DECAY * state.history[time]! + (1 - HISTORY_DECAY) * klLoss[b]! ** 2;
    count[time] = count[time]! + 1;
  }
  return { history, count };
}
