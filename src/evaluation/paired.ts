/**
 * Two sets of pictures that answer the same prompts from the same seeds, compared pair by pair: luck that both share
 * does not count as error.
 */

import { takeRows } from '../base/rows.ts';
import type { Steps } from '../base/steps.ts';
import { integers } from '../random/noise.ts';
import { frechetDistance } from './feature-distance.ts';

/** A number and its standard error. */
export interface Estimate {
  readonly value: number;
  readonly error: number;
}

const RESAMPLES = 32;

/** The mean and its standard error. */
export const meanOf = (values: ArrayLike<number>): Estimate => ({
  value: mean(values),
  error: deviation(values) / Math.sqrt(values.length),
});

/** Mean of a − b over pairs, `[pairs]`, with the standard error of that mean. */
export const meanDifference = (a: ArrayLike<number>, b: ArrayLike<number>): Estimate =>
  meanOf(Float64Array.from(a, (value, i) => value - b[i]!));

/**
 * Fréchet distances of pictures to real ones: of all, and of resamples, which are of the same rows for every set of as
 * many pictures.
 */
export interface Distances {
  readonly all: number;
  readonly resampled: readonly number[];
}

/**
 * The distance of features to real ones, and of resamples of theirs (bootstrap; Efron, 1979).
 * @param features, real `[pictures, dim]`.
 */
export function* distancesOf(features: Float32Array, real: Float32Array, dim: number): Steps<Distances> {
  const n = features.length / dim;
  const resampled: number[] = [];
  for (let step = 0; step < RESAMPLES; step++) {
    const rows = integers({ seed: 0, stream: 'sampler-bench/bootstrap', step }, 0, n, n);
    resampled.push(yield* frechetDistance(takeRows(features, dim, rows), real, dim));
  }
  return { all: yield* frechetDistance(features, real, dim), resampled };
}

/** The distance of all pictures, with the standard deviation over the resamples. */
export const spreadOf = ({ all, resampled }: Distances): Estimate => ({ value: all, error: deviation(resampled) });

/** a / b, with the standard deviation of the ratio over the resamples, which have the same rows on both sides. */
export const ratioOf = (a: Distances, b: Distances): Estimate => ({
  value: a.all / b.all,
  error: deviation(a.resampled.map((distance, r) => distance / b.resampled[r]!)),
});

function deviation(values: ArrayLike<number>): number {
  const centre = mean(values);
  return Math.sqrt(mean(Float64Array.from(values, (value) => (value - centre) ** 2)));
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}
