/** Numbers with the range in which they would lie for other pictures: bootstrap intervals (Efron, 1979). */

import type { Steps } from '../base/steps.ts';
import { integers } from '../random/noise.ts';

/** A value with its 95 % confidence interval, and the number of samples that it is of. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly samples: number;
}

const ROUNDS = 1000;
/** Resamples whose standard deviation is taken. */
const SET_ROUNDS = 100;
const Z95 = 1.959963984540054;

/** The mean of some values, with the middle 95 % of the means of as many values drawn from them with replacement. */
export function meanInterval(values: ArrayLike<number>, rounds = ROUNDS): Interval {
  const n = values.length;
  if (n === 0) throw new RangeError('there is no mean of no values');
  const means = Float64Array.from({ length: rounds }, (_, round) => {
    const rows = integers({ seed: 0, stream: 'evaluation/mean', step: round }, 0, n, n);
    let sum = 0;
    for (const row of rows) sum += values[row]!;
    return sum / n;
  }).sort();
  let total = 0;
  for (let i = 0; i < n; i++) total += values[i]!;
  const at = (share: number) => means[Math.min(rounds - 1, Math.max(0, Math.round(share * (rounds - 1))))]!;
  return { value: total / n, low: at(0.025), high: at(0.975), samples: n };
}

/**
 * A number that is of a whole set of n pictures, with 1.96 standard deviations of it over resampled sets on either
 * side: such numbers are biased in resamples, so that their own range would lie beside the value.
 * @param statistic the number for some rows of the set, by index.
 */
export function* setInterval(
  n: number,
  statistic: (rows: Int32Array) => Steps<number>,
  rounds = SET_ROUNDS,
): Steps<Interval> {
  const value = yield* statistic(Int32Array.from({ length: n }, (_, i) => i));
  const resampled: number[] = [];
  for (let step = 0; step < rounds; step++)
    resampled.push(yield* statistic(integers({ seed: 0, stream: 'evaluation/set', step }, 0, n, n)));
  const mean = resampled.reduce((a, b) => a + b, 0) / rounds;
  const variance = resampled.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (rounds - 1);
  return within(value, Math.sqrt(variance), n);
}

/**
 * A number that depends on each of n pictures by its influence over n, to first order: its standard error is the
 * standard deviation of the influences over the root of n.
 */
export function linearInterval(value: number, influence: Float64Array): Interval {
  const n = influence.length;
  const mean = influence.reduce((a, b) => a + b, 0) / n;
  const variance = influence.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(1, n - 1);
  return within(value, Math.sqrt(variance / n), n);
}

const within = (value: number, error: number, samples: number): Interval => ({
  value,
  low: value - Z95 * error,
  high: value + Z95 * error,
  samples,
});
