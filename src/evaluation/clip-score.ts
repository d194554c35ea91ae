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
/** Cosines of all pictures with all prompts are kept up to so many, 32 MiB; beyond it each is computed when needed. */
const MOST_KEPT = 2 ** 22;

/**
 * @param images unit rows, [images, dim].
 * @param texts unit rows, [prompts, dim].
 * @param promptOf the prompt of each image, [images].
 * @param mostKept the most cosines that are held in memory.
 */
export function* clipScore(
  images: Float32Array,
  texts: Float32Array,
  promptOf: readonly number[],
  dim: number,
  mostKept = MOST_KEPT,
): Steps<ClipScore> {
  const prompts = texts.length / dim;
  const computed = (i: number, prompt: number) => dot(images, i * dim, texts, prompt * dim, dim);
  const own = promptOf.map((prompt, i) => computed(i, prompt));
  const matched = average(own);
  const isKept = promptOf.length * prompts <= mostKept;
  const kept = isKept
    ? Float64Array.from({ length: promptOf.length * prompts }, (_, k) => computed(Math.floor(k / prompts), k % prompts))
    : undefined;
  const cosine = kept ? (i: number, prompt: number) => kept[i * prompts + prompt]! : computed;
  let asHigh = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const order = permutation(0, 'clip-score', round, promptOf.length);
    if (average(promptOf.map((_, i) => cosine(i, promptOf[order[i]!]!))) >= matched - 1e-12) asHigh++;
    yield costOfRound(promptOf.length, isKept ? 0 : dim);
  }
  const others = promptOf.length * (prompts - 1);
  const total = prompts * dot(means(images, dim), 0, means(texts, dim), 0, dim) * promptOf.length;
  return {
    matched,
    shuffled: others > 0 ? (total - matched * promptOf.length) / others : matched,
    p: (asHigh + 1) / (ROUNDS + 1),
  };
}

/** The mean of rows [n, dim], in float64. */
function means(rows: Float32Array, dim: number): Float64Array {
  const mean = new Float64Array(dim);
  for (const [k, x] of rows.entries()) mean[k % dim]! += x;
  return mean.map((sum) => sum / (rows.length / dim));
}

const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

const costOfRound = (images: number, dim: number): number => (PERMUTED + dim) * images;

/** What `clipScore` costs for pictures [images, dim] and so many prompts. */
export const clipScoreCost = (images: number, prompts: number, dim: number): number =>
  ROUNDS * costOfRound(images, images * prompts <= MOST_KEPT ? 0 : dim);
