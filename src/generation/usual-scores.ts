/** A scale for CLIP scores: what pictures score that have nothing to do with a prompt. */

/** Mean and standard deviation of cosines. */
export interface UsualScore {
  readonly mean: number;
  readonly deviation: number;
}

/** For each text of unit rows [texts, dim], its cosines with the unit rows [n, dim] of some pictures. */
export function usualScores(texts: Float32Array, pictures: Float32Array, dim: number): UsualScore[] {
  const count = pictures.length / dim;
  return Array.from({ length: texts.length / dim }, (_, text) => {
    const cosines = Array.from({ length: count }, (_, picture) => {
      let sum = 0;
      for (let d = 0; d < dim; d++) sum += texts[text * dim + d]! * pictures[picture * dim + d]!;
      return sum;
    });
    const mean = cosines.reduce((a, b) => a + b, 0) / count;
    return { mean, deviation: Math.sqrt(cosines.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count) };
  });
}
