/**
 * Inception score (Salimans et al., 1606.03498): how sure a classifier is of each picture, and how varied its classes
 * are.
 */

export interface InceptionScore {
  readonly mean: number;
  /** Standard deviation over the splits (divisor n). */
  readonly std: number;
  readonly splits: readonly number[];
}

/**
 * exp of the mean KL divergence of p(class | picture) from its mean, over splits of ⌊pictures / splits⌋ pictures in
 * order; a remainder is left out. From 1 to the number of classes.
 *
 * @param probabilities `[pictures, classes]`, rows that sum to 1.
 * @throws RangeError when there are fewer pictures than splits.
 */
export function inceptionScore(probabilities: ArrayLike<number>, classes: number, splits: number): InceptionScore {
  const size = Math.floor(probabilities.length / classes / splits);
  if (size < 1) throw new RangeError(`${probabilities.length / classes} pictures do not make ${splits} splits`);
  const scores = Array.from({ length: splits }, (_, s) => splitScore(probabilities, classes, s * size, size));
  const mean = scores.reduce((a, b) => a + b, 0) / splits;
  const std = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / splits);
  return { mean, std, splits: scores };
}

function splitScore(probabilities: ArrayLike<number>, classes: number, first: number, size: number): number {
  const marginal = new Float64Array(classes);
  const at = (i: number, c: number) => probabilities[(first + i) * classes + c]!;
  for (let i = 0; i < size; i++) for (let c = 0; c < classes; c++) marginal[c] = marginal[c]! + at(i, c) / size;
  let divergence = 0;
  for (let i = 0; i < size; i++) {
    // A class of probability 0 contributes nothing, in the limit.
    for (let c = 0; c < classes; c++) if (at(i, c) > 0) divergence += at(i, c) * Math.log(at(i, c) / marginal[c]!);
  }
  return Math.exp(divergence / size);
}
