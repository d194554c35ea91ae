/** Numbers with the range in which they would lie for other pictures: bootstrap intervals (Efron, 1979). */

import { integers } from '../random/noise.ts';

/** A value with its 95 % confidence interval, and the number of samples that it is of. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly samples: number;
}

const ROUNDS = 1000;
/** Distances between sets take seconds each. */
const SET_ROUNDS = 20;
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
 * A number that is of a whole set of rows `[n, dim]`, with 1.96 standard deviations of it over resampled sets on either
 * side: such numbers are biased in resamples, so that their own range would lie beside the value.
 */
export function setInterval(
  rows: Float32Array,
  dim: number,
  statistic: (rows: Float32Array) => number,
  rounds = SET_ROUNDS,
): Interval {
  const n = rows.length / dim;
  const value = statistic(rows);
  const resampled = Array.from({ length: rounds }, (_, round) => {
    const drawn = new Float32Array(rows.length);
    integers({ seed: 0, stream: 'evaluation/set', step: round }, 0, n, n).forEach((row, i) => {
      drawn.set(rows.subarray(row * dim, (row + 1) * dim), i * dim);
    });
    return statistic(drawn);
  });
  const mean = resampled.reduce((a, b) => a + b, 0) / rounds;
  const reach = Z95 * Math.sqrt(resampled.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (rounds - 1));
  return { value, low: value - reach, high: value + reach, samples: n };
}
