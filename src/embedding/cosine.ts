/** Cosines of embeddings: how near a picture and a text are in the CLIP's space. */

/**
 * Cosine of each image with its own prompt, in [-1, 1]: unit rows `images` [images, dim] and `texts` [prompts, dim].
 */
export function ownScores(
  images: Float32Array,
  texts: Float32Array,
  promptOf: readonly number[],
  dim: number,
): number[] {
  return promptOf.map((prompt, i) => dot(images, i * dim, texts, prompt * dim, dim));
}

/** The inner product of `a` from `i` on and `b` from `j` on, over `dim` numbers, in float64. */
export function dot(a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number, dim: number): number {
  let total = 0;
  for (let d = 0; d < dim; d++) total += a[i + d]! * b[j + d]!;
  return total;
}
