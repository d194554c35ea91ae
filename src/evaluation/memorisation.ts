/** Whether a generator copies: C_T (Meehan et al., 2004.05675), a rank test on distances to the training pictures. */

import { nearestRows } from './neighbours.ts';

export interface Memorisation {
  /**
   * Z of the Mann-Whitney test. Far below 0: generated pictures lie nearer to training pictures than unseen real ones
   * do.
   */
  readonly z: number;
  /** The probability of a Z so low where nothing is copied. */
  readonly p: number;
  /** For each generated picture, its nearest training picture and how far it is. */
  readonly nearest: { readonly index: Int32Array; readonly distance: Float64Array };
  /** Numbers of pictures: generated, unseen, of training. */
  readonly samples: { readonly made: number; readonly heldOut: number; readonly training: number };
}

/**
 * C_T over all of the space at once (one cell).
 * @param made, heldOut, training features `[pictures, dim]`; held-out pictures are real and not trained on.
 */
export function memorisation(
  made: Float32Array,
  heldOut: Float32Array,
  training: Float32Array,
  dim: number,
): Memorisation {
  const nearest = nearestRows(made, training, dim);
  const z = rankZ(nearest.distance, nearestRows(heldOut, training, dim).distance);
  const samples = { made: made.length / dim, heldOut: heldOut.length / dim, training: training.length / dim };
  return { z, p: normalBelow(z), nearest, samples };
}

/**
 * Z of the Mann-Whitney U of `a` against `b`, with ranks shared by ties and the variance corrected for them: below 0
 * where `a` tends to be smaller; 0 where all values are equal.
 */
export function rankZ(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [m, n] = [a.length, b.length];
  const all = [
    ...Array.from(a, (value) => ({ value, isFirst: true })),
    ...Array.from(b, (value) => ({ value, isFirst: false })),
  ].sort((x, y) => x.value - y.value);
  let [ranks, ties] = [0, 0];
  for (let start = 0; start < all.length; ) {
    let end = start;
    while (end < all.length && all[end]!.value === all[start]!.value) end++;
    const count = end - start;
    ranks += ((start + 1 + end) / 2) * all.slice(start, end).filter(({ isFirst }) => isFirst).length;
    ties += count ** 3 - count;
    start = end;
  }
  const u = ranks - (m * (m + 1)) / 2;
  const total = m + n;
  const variance = ((m * n) / 12) * (total + 1 - ties / (total * (total - 1)));
  return variance > 0 ? (u - (m * n) / 2) / Math.sqrt(variance) : 0;
}

/**
 * Φ, the probability that a standard normal number is below `z`; absolute error below 1e-7 (Abramowitz & Stegun
 * 26.2.17).
 */
export function normalBelow(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const polynomial = series.reduceRight((sum, coefficient) => (sum + coefficient) * t, 0);
  const above = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
  return z >= 0 ? 1 - above : above;
}
