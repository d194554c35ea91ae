/** How well two sets of embeddings find each other: the measure of a trained CLIP. */

export interface Retrieval {
  /** Share of pictures whose own text is the nearest among `among` texts, and the reverse. */
  readonly imageToText: number;
  readonly textToImage: number;
  /** Pairs in one comparison. */
  readonly among: number;
  /** ‖mean image embedding − mean text embedding‖, the modality gap (Liang et al., 2203.02053). */
  readonly gap: number;
}

/**
 * Recall at 1 in groups of `among` pairs; `images` and `texts`: unit vectors [n, dim], row i of one belonging to row i of the
 * other. Pairs left over after the last full group are not compared.
 */
export function measureRetrieval(images: Float32Array, texts: Float32Array, dim: number, among = 100): Retrieval {
  const n = images.length / dim;
  const size = Math.min(among, n);
  const groups = Math.floor(n / size);
  let [found, foundBack] = [0, 0];
  for (let start = 0; start < groups * size; start += size) {
    for (let i = start; i < start + size; i++) {
      if (nearest(images, i, texts, start, size, dim) === i) found++;
      if (nearest(texts, i, images, start, size, dim) === i) foundBack++;
    }
  }
  const compared = groups * size;
  return {
    imageToText: found / compared,
    textToImage: foundBack / compared,
    among: size,
    gap: gapOf(images, texts, dim),
  };
}

/** Of rows start … start + size − 1 of `rows`, the one with the largest dot product with row `query` of `queries`. */
function nearest(
  queries: Float32Array,
  query: number,
  rows: Float32Array,
  start: number,
  size: number,
  dim: number,
): number {
  let best = start;
  let highest = Number.NEGATIVE_INFINITY;
  for (let row = start; row < start + size; row++) {
    let dot = 0;
    for (let d = 0; d < dim; d++) dot += queries[query * dim + d]! * rows[row * dim + d]!;
    if (dot > highest) [best, highest] = [row, dot];
  }
  return best;
}

function gapOf(images: Float32Array, texts: Float32Array, dim: number): number {
  const difference = new Float64Array(dim);
  for (let i = 0; i < images.length; i++) difference[i % dim]! += (images[i]! - texts[i]!) / (images.length / dim);
  return Math.hypot(...difference);
}
