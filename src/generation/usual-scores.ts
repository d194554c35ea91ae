/** A scale for CLIP scores: what pictures score that have nothing to do with a prompt. */

import { dot } from '../embedding/cosine.ts';

/** Mean and standard deviation of cosines. */
export interface UsualScore {
  readonly mean: number;
  readonly deviation: number;
}

/** For each text of unit rows [texts, dim], its cosines with the unit rows [n, dim] of some pictures. */
export function usualScores(texts: Float32Array, pictures: Float32Array, dim: number): UsualScore[] {
  const count = pictures.length / dim;
  return Array.from({ length: texts.length / dim }, (_, text) => {
    const cosines = Array.from({ length: count }, (_, picture) => dot(texts, text * dim, pictures, picture * dim, dim));
    const mean = cosines.reduce((a, b) => a + b, 0) / count;
    return { mean, deviation: Math.sqrt(cosines.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count) };
  });
}
