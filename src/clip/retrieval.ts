/** How well two sets of embeddings find each other: the measure of a trained CLIP. */

import { dot } from '../embedding/cosine.ts';

/** Share of queries whose partner is among the 1, 5 and 10 nearest. */
export interface Recall {
  readonly at1: number;
  readonly at5: number;
  readonly at10: number;
}

/** How well pictures find their texts, and texts their pictures. */
export interface Retrieval {
  readonly imageToText: Recall;
  readonly textToImage: Recall;
  /** Pairs in one comparison. */
  readonly among: number;
  /** ‖mean image embedding − mean text embedding‖, the modality gap (Liang et al., 2203.02053). */
  readonly gap: number;
}

/**
 * Recall in groups of `among` pairs; `images` and `texts`: unit vectors [n, dim], row i of one belonging to row i of
 * the other. Rows that are as near as the partner do not count against it, so that equal texts are equally right; where
 * all rows are equally near, as after a collapse, the partner is found as often as by guessing, and where numbers are
 * not finite never. Pairs left over after the last full group are not compared.
 */
export function measureRetrieval(images: Float32Array, texts: Float32Array, dim: number, among = 100): Retrieval {
  const n = images.length / dim;
  const size = Math.min(among, n);
  const groups = Math.floor(n / size);
  const ranks = (queries: Float32Array, rows: Float32Array) =>
    Array.from({ length: groups * size }, (_, i) => rankOf(queries, i, rows, i - (i % size), size, dim));
  return {
    imageToText: recallOf(ranks(images, texts)),
    textToImage: recallOf(ranks(texts, images)),
    among: size,
    gap: gapOf(images, texts, dim),
  };
}

/**
 * Share of images [n, dim] whose nearest class of [classes, dim] is one of their own; of equally near classes the first
 * counts.
 */
export function zeroShotAccuracy(
  images: Float32Array,
  classes: Float32Array,
  isOwn: (image: number, label: number) => boolean,
  dim: number,
): number {
  const n = images.length / dim;
  let right = 0;
  for (let i = 0; i < n; i++) {
    let [best, highest] = [0, Number.NEGATIVE_INFINITY];
    for (let label = 0; label < classes.length / dim; label++) {
      const score = dot(images, i * dim, classes, label * dim, dim);
      if (score > highest) [best, highest] = [label, score];
    }
    if (isOwn(i, best)) right++;
  }
  return right / n;
}

/**
 * How many of rows start … start + size − 1 are nearer to row `query` of `queries` than row `query` of `rows` is; its
 * place among them where all are equally near.
 */
function rankOf(
  queries: Float32Array,
  query: number,
  rows: Float32Array,
  start: number,
  size: number,
  dim: number,
): number {
  const own = dot(queries, query * dim, rows, query * dim, dim);
  let [nearer, farther] = [0, 0];
  for (let row = start; row < start + size; row++) {
    const other = dot(queries, query * dim, rows, row * dim, dim);
    if (other < own) farther++;
    else if (other !== own) nearer++;
  }
  return nearer + farther === 0 ? query - start : nearer;
}

function recallOf(ranks: readonly number[]): Recall {
  const within = (k: number) => ranks.filter((rank) => rank < k).length / ranks.length;
  return { at1: within(1), at5: within(5), at10: within(10) };
}

function gapOf(images: Float32Array, texts: Float32Array, dim: number): number {
  const difference = new Float64Array(dim);
  for (let i = 0; i < images.length; i++) difference[i % dim]! += (images[i]! - texts[i]!) / (images.length / dim);
  return Math.hypot(...difference);
}
