/**
 * Quality and variety of generated pictures by nearest neighbours among features: precision and recall (Kynkäänniemi et
 * al., 1904.06991), density and coverage (Naeem et al., 2002.09797).
 */

import type { Steps } from '../base/steps.ts';
import { type Interval, meanInterval } from './interval.ts';

/** Each with the interval for other pictures in the place of those that it is a share or a mean of. */
export interface Neighbourhoods {
  /** Share of the generated pictures that lie in the neighbourhood of a real one: quality. */
  readonly precision: Interval;
  /** Share of the real pictures that lie in the neighbourhood of a generated one: variety. */
  readonly recall: Interval;
  /** In how many neighbourhoods of real pictures a generated one lies, over k; 1 for two sets of one distribution. */
  readonly density: Interval;
  /** Share of the real pictures that have a generated one in their neighbourhood. */
  readonly coverage: Interval;
}

/**
 * The neighbourhood of a picture is the ball out to its k-th nearest among the others of its set.
 * @param real, made features `[pictures, dim]`, more than k of each.
 * @throws RangeError for k pictures or fewer.
 */
export function* neighbourhoods(real: Float32Array, made: Float32Array, dim: number, k: number): Steps<Neighbourhoods> {
  const [reals, mades] = [real.length / dim, made.length / dim];
  if (Math.min(reals, mades) <= k)
    throw new RangeError(`neighbourhoods of ${k} take more pictures than ${Math.min(reals, mades)}`);
  const [realRadius, madeRadius] = [yield* radii(real, dim, k), yield* radii(made, dim, k)];
  const coveredReal = new Uint8Array(reals);
  const recalled = new Uint8Array(reals);
  const balls = new Float64Array(mades);
  for (let j = 0; j < mades; j++) {
    let inside = 0;
    for (let i = 0; i < reals; i++) {
      const distance = squaredDistance(real, i, made, j, dim);
      if (distance <= realRadius[i]!) {
        inside++;
        coveredReal[i] = 1;
      }
      if (distance <= madeRadius[j]!) recalled[i] = 1;
    }
    balls[j] = inside;
    yield real.length;
  }
  return {
    precision: meanInterval(balls.map((inside) => (inside > 0 ? 1 : 0))),
    recall: meanInterval(recalled),
    density: meanInterval(balls.map((inside) => inside / k)),
    coverage: meanInterval(coveredReal),
  };
}

/** What `neighbourhoods` costs. */
export const neighbourhoodsCost = (real: number, made: number, dim: number): number =>
  (real * real + real * made + made * made) * dim;

/** The squared distance of each row to its k-th nearest other row. */
function* radii(rows: Float32Array, dim: number, k: number): Steps<Float64Array> {
  const n = rows.length / dim;
  const found = new Float64Array(n);
  const distances = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++)
      distances[j] = j === i ? Number.POSITIVE_INFINITY : squaredDistance(rows, i, rows, j, dim);
    found[i] = distances.sort()[k - 1]!;
    yield rows.length;
  }
  return found;
}

export interface Nearest {
  readonly index: Int32Array;
  readonly distance: Float64Array;
}

/** The nearest row of `among` for each row of `rows`, and its distance. */
export function* nearestRows(rows: Float32Array, among: Float32Array, dim: number): Steps<Nearest> {
  const n = rows.length / dim;
  const index = new Int32Array(n);
  const distance = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < among.length / dim; j++) {
      const squared = squaredDistance(rows, i, among, j, dim);
      if (squared < distance[i]!) [index[i], distance[i]] = [j, squared];
    }
    yield among.length;
  }
  return { index, distance: distance.map(Math.sqrt) };
}

function squaredDistance(a: Float32Array, i: number, b: Float32Array, j: number, dim: number): number {
  let sum = 0;
  for (let k = 0; k < dim; k++) sum += (a[i * dim + k]! - b[j * dim + k]!) ** 2;
  return sum;
}
