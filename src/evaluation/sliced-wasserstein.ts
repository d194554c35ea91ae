/**
 * The sliced Wasserstein distance between two sets of features (Rabin et al., 2011; proposed for generators, where a
 * few thousand pictures tell what the Fréchet distance needs many more for, as MIND, 2605.06797).
 */

import { normals } from '../random/noise.ts';

const DIRECTIONS = 256;

/**
 * The root of the mean, over random directions, of the squared 2-Wasserstein distance between the projections of both
 * sets on a direction. Sets may have different sizes. Directions are those of the seed.
 * @param a, b features `[pictures, dim]`, at least one picture each.
 */
export function slicedWasserstein(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  dim: number,
  { directions = DIRECTIONS, seed = 0 }: { readonly directions?: number; readonly seed?: number } = {},
): number {
  let sum = 0;
  for (let d = 0; d < directions; d++) {
    const direction = normals({ seed, stream: 'sliced-wasserstein', step: 0 }, d, dim);
    const length = Math.hypot(...direction);
    const unit = direction.map((x) => x / length);
    sum += squaredWasserstein1d(projected(a, unit), projected(b, unit));
  }
  return Math.sqrt(sum / directions);
}

function projected(rows: ArrayLike<number>, direction: Float64Array): Float64Array {
  const dim = direction.length;
  return Float64Array.from({ length: rows.length / dim }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < dim; k++) sum += rows[i * dim + k]! * direction[k]!;
    return sum;
  });
}

/** ∫ (F⁻¹(u) − G⁻¹(u))² du of two samples on a line: both quantile functions are stairs, gone through together. */
export function squaredWasserstein1d(a: Float64Array, b: Float64Array): number {
  const [x, y] = [a.slice().sort(), b.slice().sort()];
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
