/**
 * The Monge Inception distance (MIND; Berthet et al., 2605.06797): sliced optimal transport between two sets of
 * features. A few thousand pictures tell what the Fréchet distance needs many more for.
 */

import type { Steps } from '../base/steps.ts';
import { normals } from '../random/noise.ts';
import { type Interval, setInterval } from './interval.ts';

/** The paper takes 100 to 1,000. */
const DIRECTIONS = 256;
/** Resamples for the interval. */
const ROUNDS = 20;
/** What it costs to draw and sort a number among a few thousand, in multiplications. */
const SORTED = 80;

interface Directions {
  readonly directions?: number;
  readonly seed?: number;
}

/**
 * 3 · dim times the mean, over random directions, of the squared 2-Wasserstein distance between the projections of both
 * sets on a direction; for sets that differ by a shift alone, three times its squared length. Sets may have different
 * sizes. Directions are those of the seed; the interval is over resampled generated pictures.
 * @param made, real features `[pictures, dim]`, at least one picture each.
 */
export function* mindInterval(
  made: ArrayLike<number>,
  real: ArrayLike<number>,
  dim: number,
  { directions = DIRECTIONS, seed = 0 }: Directions = {},
): Steps<Interval> {
  const projections: { readonly own: Float64Array; readonly other: Float64Array }[] = [];
  for (let d = 0; d < directions; d++) {
    const unit = directionOf(d, dim, seed);
    projections.push({ own: projected(made, unit), other: projected(real, unit).sort() });
    yield made.length + real.length;
  }
  function* statistic(rows: Int32Array): Steps<number> {
    let sum = 0;
    for (const { own, other } of projections) {
      sum += squaredWasserstein(Float64Array.from(rows, (row) => own[row]!).sort(), other);
      yield SORTED * rows.length;
    }
    return (3 * dim * sum) / directions;
  }
  return yield* setInterval(made.length / dim, statistic, ROUNDS);
}

/** What `mindInterval` costs. */
export const mindCost = (made: number, real: number, dim: number): number =>
  DIRECTIONS * ((made + real) * dim + (ROUNDS + 1) * SORTED * made);

function directionOf(d: number, dim: number, seed: number): Float64Array {
  const direction = normals({ seed, stream: 'sliced-wasserstein', step: 0 }, d, dim);
  const length = Math.hypot(...direction);
  return direction.map((x) => x / length);
}

function projected(rows: ArrayLike<number>, direction: Float64Array): Float64Array {
  const dim = direction.length;
  return Float64Array.from({ length: rows.length / dim }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < dim; k++) sum += rows[i * dim + k]! * direction[k]!;
    return sum;
  });
}

/**
 * ∫ (F⁻¹(u) − G⁻¹(u))² du of two samples on a line, each sorted: both quantile functions are stairs, gone through
 * together.
 */
function squaredWasserstein(x: Float64Array, y: Float64Array): number {
  let [i, j, at, sum] = [0, 0, 0, 0];
  while (i < x.length && j < y.length) {
    const [endX, endY] = [(i + 1) / x.length, (j + 1) / y.length];
    const end = Math.min(endX, endY);
    sum += (end - at) * (x[i]! - y[j]!) ** 2;
    at = end;
    // Ends that are equal in theory are compared as whole numbers.
    const order = (i + 1) * y.length - (j + 1) * x.length;
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return sum;
}
