/**
 * Corrections of prompt embeddings. A generator learns from picture embeddings and is driven by text embeddings, which
 * lie elsewhere on the sphere, the modality gap (2203.02053). Statistics of both sides bring a prompt to where pictures
 * lie. All embeddings are unit rows.
 */

import { unitRows32 } from '../base/rows.ts';
import { permutation } from '../random/noise.ts';
import type { SamplingSettings } from '../recipe/schema.ts';
import { dot } from './cosine.ts';

/** The corrections that a recipe can name. */
export type Correction = SamplingSettings['correction'];

/** Mean and standard deviation of each number of some embeddings, [dim] each. */
export interface Moments {
  readonly mean: Float32Array;
  readonly deviation: Float32Array;
}

/** Statistics that corrections use: of the pictures that a model has learned from, and of texts in general. */
export interface EmbeddingStatistics {
  readonly images: Moments;
  readonly texts: Moments;
  /** Embeddings of some of the pictures, [n, dim]. */
  readonly anchors: Float32Array;
}

/** How far `shrink` goes towards the nearest pictures, and how many those are. */
const SHRINK = 0.5;
const NEAREST = 8;
/** How far `neighbour` goes towards one picture, and of how many nearest ones that is one. */
const TOWARDS_ONE = 0.4;
const CHOICE = 8;

/** Moments of rows [n, dim]. @throws RangeError without a row. */
export function momentsOf(rows: Float32Array, dim: number): Moments {
  const count = rows.length / dim;
  if (count < 1) throw new RangeError('moments of no embeddings');
  const [mean, squares] = [new Float64Array(dim), new Float64Array(dim)];
  for (let i = 0; i < rows.length; i++) mean[i % dim]! += rows[i]! / count;
  for (let i = 0; i < rows.length; i++) squares[i % dim]! += (rows[i]! - mean[i % dim]!) ** 2 / count;
  return { mean: Float32Array.from(mean), deviation: Float32Array.from(squares, Math.sqrt) };
}

/**
 * Text embeddings [n, dim] as a model of pictures should be given them, again unit rows.
 * - `none`: as they are.
 * - `mean-shift`: t − mean of texts + mean of pictures.
 * - `standardised`: each number of t, in standard deviations of texts from their mean, becomes as many of pictures from
 *   theirs.
 * - `shrink`: `mean-shift`, then half of the way towards the mean of the eight nearest pictures, with equal weights.
 * - `neighbour`: `mean-shift`; the rest depends on the picture (`towardsNeighbour`).
 * @param statistics not needed by `none`.
 */
export function correctTexts(
  texts: Float32Array,
  correction: Correction,
  statistics: EmbeddingStatistics | undefined,
): Float32Array {
  if (!statistics) return texts;
  const { images, texts: words, anchors } = statistics;
  const dim = images.mean.length;
  switch (correction) {
    case 'none':
      return texts;
    case 'mean-shift':
    case 'neighbour':
      return unitRows32(
        texts.map((x, i) => x - words.mean[i % dim]! + images.mean[i % dim]!),
        dim,
      );
    case 'standardised': {
      const scale = images.deviation.map((deviation, d) => deviation / Math.max(words.deviation[d]!, 1e-6));
      return unitRows32(
        texts.map((x, i) => (x - words.mean[i % dim]!) * scale[i % dim]! + images.mean[i % dim]!),
        dim,
      );
    }
    case 'shrink': {
      const shifted = correctTexts(texts, 'mean-shift', { images, texts: words, anchors });
      const near = nearestMeans(shifted, anchors, dim);
      return unitRows32(
        shifted.map((x, i) => (1 - SHRINK) * x + SHRINK * near[i]!),
        dim,
      );
    }
  }
}

/**
 * A corrected text row [dim], as the picture of a seed is given it: part of the way towards one of the eight pictures
 * that are nearest to it. A prompt leaves things open, and tokens that are drawn independently would each decide them
 * anew; a picture has decided them. Eight seeds in a row from a multiple of eight are given eight different ones.
 */
export function towardsNeighbour(
  row: Float32Array,
  seed: number,
  { anchors }: Pick<EmbeddingStatistics, 'anchors'>,
): Float32Array {
  const dim = row.length;
  const nearest = nearestAnchors(row, anchors, CHOICE);
  const order = permutation(Math.floor(seed / CHOICE), 'sample.neighbour', 0, CHOICE);
  const from = nearest[order[seed % CHOICE]! % nearest.length]! * dim;
  return unitRows32(
    row.map((x, d) => (1 - TOWARDS_ONE) * x + TOWARDS_ONE * anchors[from + d]!),
    dim,
  );
}

/** For each row the mean of the nearest anchors, at unit length. */
function nearestMeans(rows: Float32Array, anchors: Float32Array, dim: number): Float32Array {
  const means = new Float32Array(rows.length);
  for (let start = 0; start < rows.length; start += dim)
    for (const a of nearestAnchors(rows.subarray(start, start + dim), anchors, NEAREST))
      for (let d = 0; d < dim; d++) means[start + d]! += anchors[a * dim + d]!;
  return unitRows32(means, dim);
}

/** Which anchors have the highest cosine with a row, the nearest first. */
function nearestAnchors(row: Float32Array, anchors: Float32Array, most: number): number[] {
  const dim = row.length;
  const cosines = Float64Array.from({ length: anchors.length / dim }, (_, a) => dot(row, 0, anchors, a * dim, dim));
  return Array.from(cosines.keys())
    .sort((a, b) => cosines[b]! - cosines[a]!)
    .slice(0, most);
}
