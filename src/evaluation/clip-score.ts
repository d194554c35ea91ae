/** CLIP score: how well pictures follow their prompts, against the same pictures under other prompts. */

import type { Steps } from '../base/steps.ts';
import { dot } from '../embedding/cosine.ts';
import { permutation } from '../random/noise.ts';

export interface ClipScore {
  /** Mean cosine of each picture with its own prompt, in [-1, 1]. */
  readonly matched: number;
  /** Mean cosine of each picture with the other prompts. */
  readonly shuffled: number;
  /**
   * Permutation test: the probability that a random assignment of prompts to pictures scores as high as the true one.
   */
  readonly p: number;
}

const ROUNDS = 9999;
/** What it costs to draw a picture's place and look at its cosine, in multiplications. */
const PERMUTED = 100;

/**
 * @param images unit rows, [images, dim].
 * @param texts unit rows, [prompts, dim].
 * @param promptOf the prompt of each image, [images].
 */
export function* clipScore(
  images: Float32Array,
  texts: Float32Array,
  promptOf: readonly number[],
  dim: number,
): Steps<ClipScore> {
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
    yield PERMUTED * promptOf.length;
  }
  return { matched, shuffled: others.length > 0 ? average(others) : matched, p: (asHigh + 1) / (ROUNDS + 1) };
}

const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** What `clipScore` costs. */
export const clipScoreCost = (images: number): number => ROUNDS * PERMUTED * images;
