/** k-means on the host: where the first codebook comes from. */

import { setImmediate } from 'node:timers/promises';
import { type NoiseKey, uniforms } from '../random/noise.ts';

/** The result of k-means. */
export interface Clusters {
  /** [k, dim]. */
  readonly centres: Float32Array;
  /** Mean squared distance of the points from their nearest centre, before the last move. */
  readonly meanSquare: number;
}

/** Rows [count, dim] of numbers. */
interface Rows {
  readonly data: Float32Array;
  readonly dim: number;
}

const countOf = ({ data, dim }: Rows): number => data.length / dim;

/**
 * Cluster points [n, dim] into k centres: k-means++ seeding (Arthur & Vassilvitskii, 2007), then `iterations` of
 * Lloyd's. A centre that loses its points stays where it is. Gives way to the event loop between iterations.
 */
export async function kmeans(
  points: Float32Array,
  dim: number,
  k: number,
  iterations: number,
  key: NoiseKey,
): Promise<Clusters> {
  const rows = { data: points, dim };
  const centres = await seed(rows, k, key);
  let meanSquare = 0;
  for (let i = 0; i < iterations; i++) {
    await setImmediate();
    const nearest = assign(rows, { data: centres, dim });
    meanSquare = nearest.meanSquare;
    moveCentres(rows, nearest.index, centres);
  }
  return { centres, meanSquare };
}

/** k-means++: each next centre is a point, drawn in proportion to its squared distance from the nearest one so far. */
async function seed(points: Rows, k: number, key: NoiseKey): Promise<Float32Array> {
  const { data, dim } = points;
  const n = countOf(points);
  const draws = uniforms(key, 0, k);
  const centres = new Float32Array(k * dim);
  const nearest = new Float64Array(n).fill(1);
  for (let c = 0; c < k; c++) {
    if (c % 32 === 31) await setImmediate();
    const chosen = draw(nearest, draws[c]!) * dim;
    centres.set(data.subarray(chosen, chosen + dim), c * dim);
    for (let i = 0; i < n; i++) {
      const distance = squaredDistance(data, i * dim, centres, c * dim, dim);
      nearest[i] = c === 0 ? distance : Math.min(nearest[i]!, distance);
    }
  }
  return centres;
}

/** An index drawn in proportion to its weight; the first if all weights are 0. */
function draw(weights: Float64Array, u: number): number {
  let total = 0;
  for (const weight of weights) total += weight;
  let left = u * total;
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i]! === 0) continue;
    last = i;
    left -= weights[i]!;
    if (left < 0) break;
  }
  return last;
}

function assign(points: Rows, centres: Rows): { readonly index: Int32Array; readonly meanSquare: number } {
  const [n, k, dim] = [countOf(points), countOf(centres), points.dim];
  const index = new Int32Array(n);
  let total = 0;
  for (let i = 0; i < n; i++) {
    let least = Number.POSITIVE_INFINITY;
    for (let c = 0; c < k; c++) {
      const distance = squaredDistance(points.data, i * dim, centres.data, c * dim, dim);
      if (distance >= least) continue;
      least = distance;
      index[i] = c;
    }
    total += least;
  }
  return { index, meanSquare: total / n };
}

/** Each centre to the mean of its points. */
function moveCentres({ data, dim }: Rows, index: Int32Array, centres: Float32Array): void {
  const sums = new Float64Array(centres.length);
  const counts = new Int32Array(centres.length / dim);
  for (let i = 0; i < index.length; i++) {
    const c = index[i]!;
    counts[c]!++;
    for (let d = 0; d < dim; d++) sums[c * dim + d]! += data[i * dim + d]!;
  }
  for (let at = 0; at < sums.length; at++) {
    const count = counts[Math.floor(at / dim)]!;
    if (count > 0) centres[at] = sums[at]! / count;
  }
}

function squaredDistance(a: Float32Array, atA: number, b: Float32Array, atB: number, dim: number): number {
  let sum = 0;
  for (let d = 0; d < dim; d++) {
    const difference = a[atA + d]! - b[atB + d]!;
    sum += difference * difference;
  }
  return sum;
}
