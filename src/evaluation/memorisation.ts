/**
 * Whether a generator copies: C_T (Meehan et al., 2004.05675), rank tests on distances to the training pictures in
 * cells of the space. As their code has it, a picture is compared with the training pictures of its own cell.
 */

import { takeRows } from '../base/rows.ts';
import { type Carry, inTurns } from '../base/steps.ts';
import { kmeans } from '../vqgan/kmeans.ts';
import { nearestRows } from './neighbours.ts';

/** A cell of the space with enough pictures to test. */
export interface Cell {
  /**
   * Z of its Mann-Whitney test: far below 0 where generated pictures lie nearer to training pictures than unseen ones.
   */
  readonly z: number;
  readonly made: number;
  readonly heldOut: number;
}

export interface Memorisation {
  /** C_T: the mean Z of the cells, by their share of the unseen pictures. */
  readonly z: number;
  /** The probability of a C_T so low where nothing is copied. */
  readonly p: number;
  /** Cells that were tested; the others hold too few pictures. */
  readonly cells: readonly Cell[];
  /** The lowest Z of a cell, and its probability where nothing is copied, with the choice among the cells in it. */
  readonly worst: { readonly z: number; readonly p: number };
  /** For each generated picture, its nearest training picture and how far it is. */
  readonly nearest: { readonly index: Int32Array; readonly distance: Float64Array };
  /** Numbers of pictures: generated, unseen, of training. */
  readonly samples: { readonly made: number; readonly heldOut: number; readonly training: number };
}

/**
 * Generated and unseen pictures that a cell needs, of either; pictures a cell that the space is divided for; cells at
 * most.
 */
const [FEWEST, WANTED, MOST_CELLS] = [20, 60, 20];
const ITERATIONS = 20;

/**
 * C_T over the clusters of the training pictures: by default about one for sixty pictures of the smaller set, twenty at
 * most. Where no cell has enough pictures the whole space is one.
 * @param made, heldOut, training features `[pictures, dim]`; held-out pictures are real and not trained on.
 * @param carry carries through what takes long.
 */
export async function memorisation(
  made: Float32Array,
  heldOut: Float32Array,
  training: Float32Array,
  dim: number,
  cells?: number,
  carry: Carry = inTurns(),
): Promise<Memorisation> {
  const samples = { made: made.length / dim, heldOut: heldOut.length / dim, training: training.length / dim };
  const wanted = Math.floor(Math.min(samples.made, samples.heldOut) / WANTED);
  const count = Math.min(cells ?? Math.max(1, Math.min(MOST_CELLS, wanted)), samples.training);
  const nearest = await carry(nearestRows(made, training, dim));
  const own = nearest.distance;
  const unseen = (await carry(nearestRows(heldOut, training, dim))).distance;
  const whole = { z: rankZ(own, unseen), made: samples.made, heldOut: samples.heldOut };
  const tested = count > 1 ? await cellsOf(count) : [];
  const used = tested.length > 0 ? tested : [whole];
  const weights = used.map((cell) => cell.heldOut);
  const total = weights.reduce((a, b) => a + b, 0);
  const z = used.reduce((sum, cell, i) => sum + (weights[i]! / total) * cell.z, 0);
  // Each Z is about standard normal where nothing is copied.
  const deviation = Math.sqrt(weights.reduce((sum, weight) => sum + (weight / total) ** 2, 0));
  const lowest = Math.min(...used.map((cell) => cell.z));
  const worst = { z: lowest, p: Math.min(1, used.length * normalBelow(lowest)) };
  return { z, p: normalBelow(z / deviation), cells: used, worst, nearest, samples };

  async function cellsOf(k: number): Promise<Cell[]> {
    const key = { seed: 0, stream: 'evaluation/cells', step: 0 };
    const { centres } = await kmeans(training, dim, k, ITERATIONS, key);
    const parts: Float32Array[][] = [];
    for (const rows of [made, heldOut, training])
      parts.push(byNearest(rows, (await carry(nearestRows(rows, centres, dim))).index, k));
    const [ofMade, ofHeldOut, ofTraining] = parts as [Float32Array[], Float32Array[], Float32Array[]];
    const found: Cell[] = [];
    for (const [cell, known] of ofTraining.entries()) {
      const a = (await carry(nearestRows(ofMade[cell]!, known, dim))).distance;
      const b = (await carry(nearestRows(ofHeldOut[cell]!, known, dim))).distance;
      if (Math.min(a.length, b.length) >= FEWEST) found.push({ z: rankZ(a, b), made: a.length, heldOut: b.length });
    }
    return found;
  }
}

/** What `memorisation` carries through: distances to all training pictures, and to those of the cells. */
export const memorisationCost = (made: number, heldOut: number, training: number, dim: number): number =>
  (made + heldOut) * training * dim;

/** Rows by the one of k centres that is nearest to them. */
function byNearest(rows: Float32Array, index: Int32Array, k: number): Float32Array[] {
  const dim = rows.length / index.length;
  return Array.from({ length: k }, (_, cell) => {
    const own = Array.from(index.keys()).filter((i) => index[i] === cell);
    return takeRows(rows, dim, own);
  });
}

/**
 * Z of the Mann-Whitney U of `a` against `b`, with ranks shared by ties, the variance corrected for them, and half a
 * rank for continuity: below 0 where `a` tends to be smaller; 0 where all values are equal.
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
  return variance > 0 ? (u + 0.5 - (m * n) / 2) / Math.sqrt(variance) : 0;
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
