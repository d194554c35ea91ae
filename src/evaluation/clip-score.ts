/** CLIP score: how well pictures follow their prompts, against the same pictures under other prompts. */

import { dot } from '../clip/cosine.ts';
import { permutation } from '../random/noise.ts';

export interface ClipScore {
  /** Mean cosine of each picture with its own prompt, in [-1, 1]. */
  readonly matched: number;
  /** Mean cosine of each picture with the other prompts. */
  readonly shuffled: number;
  /** Permutation test: the probability that a random assignment of prompts to pictures scores as high as the true one. */
  readonly p: number;
}

const ROUNDS = 9999;

/**
 * @param images unit rows, [images, dim].
 * @param texts unit rows, [prompts, dim].
 * @param promptOf the prompt of each image, [images].
 */
export function clipScore(
  images: Float32Array,
  texts: Float32Array,
  promptOf: readonly number[],
  dim: number,
): ClipScore {
  const prompts = texts.length / dim;
  const cosine = promptOf.map((_, i) =>
    Array.from({ length: prompts }, (_, j) => dot(images, i * dim, texts, j * dim, dim)),
  );
  const meanUnder = (assignment: (i: number) => number) => average(promptOf.map((_, i) => cosine[i]![assignment(i)]!));
  const matched = meanUnder((i) => promptOf[i]!);
  const others = cosine.flatMap((row, i) => row.filter((_, j) => j !== promptOf[i]));
  let asHigh = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const order = permutation(0, 'clip-score', round, promptOf.length);
    if (meanUnder((i) => promptOf[order[i]!]!) >= matched - 1e-12) asHigh++;
  }
  return { matched, shuffled: others.length > 0 ? average(others) : matched, p: (asHigh + 1) / (ROUNDS + 1) };
}

const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** The weight of CLIPScore as Hessel et al. (2104.08718) publish it. */
const HESSEL_WEIGHT = 2.5;

/**
 * Cosine of each picture with its own text, in float64; the vectors may have any length.
 * @param images, texts `[pairs, dim]`.
 */
export function pairCosines(images: ArrayLike<number>, texts: ArrayLike<number>, dim: number): Float64Array {
  return Float64Array.from({ length: images.length / dim }, (_, i) => {
    const at = i * dim;
    return (
      dot(images, at, texts, at, dim) / Math.sqrt(dot(images, at, images, at, dim) * dot(texts, at, texts, at, dim))
    );
  });
}

/** CLIPScore of one pair, 2.5 max(cos, 0): published numbers on this scale are not cosines. */
export const hesselScore = (cosine: number): number => HESSEL_WEIGHT * Math.max(0, cosine);
