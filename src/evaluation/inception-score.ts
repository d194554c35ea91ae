/**
 * The Inception score (Salimans et al., 1606.03498): how sure a classifier is of pictures, and how various they are.
 */

export interface InceptionScore {
  /** Mean of the scores of the parts, and their standard deviation, as the score is published. */
  readonly value: number;
  readonly deviation: number;
  /** 95 %: 1.96 standard errors of the mean of the parts. */
  readonly low: number;
  readonly high: number;
  readonly samples: number;
  readonly parts: number;
}

const PARTS = 10;
const Z95 = 1.959963984540054;

/**
 * exp of the mean divergence KL(p(y|x) ‖ p(y)) in each of ten parts of the pictures, in their order.
 * @param logits `[pictures, classes]`; ten pictures at least make ten parts, fewer make one part each.
 */
export function inceptionScore(logits: ArrayLike<number>, classes: number): InceptionScore {
  const samples = logits.length / classes;
  const parts = Math.min(PARTS, samples);
  const border = (part: number) => Math.floor((part * samples) / parts);
  const scores = Array.from({ length: parts }, (_, part) =>
    scoreOf(
      Array.from({ length: border(part + 1) - border(part) }, (_, i) => softmaxRow(logits, border(part) + i, classes)),
    ),
  );
  const value = scores.reduce((a, b) => a + b, 0) / parts;
  const deviation = Math.sqrt(scores.reduce((sum, score) => sum + (score - value) ** 2, 0) / parts);
  const reach = (Z95 * deviation) / Math.sqrt(Math.max(1, parts - 1));
  return { value, deviation, low: value - reach, high: value + reach, samples, parts };
}

function scoreOf(rows: readonly Float64Array[]): number {
  const mean = new Float64Array(rows[0]?.length ?? 0);
  for (const row of rows) for (let k = 0; k < row.length; k++) mean[k]! += row[k]! / rows.length;
  let divergence = 0;
  for (const row of rows)
    for (let k = 0; k < row.length; k++) if (row[k]! > 0) divergence += row[k]! * Math.log(row[k]! / mean[k]!);
  return Math.exp(divergence / rows.length);
}

function softmaxRow(logits: ArrayLike<number>, row: number, classes: number): Float64Array {
  const values = Float64Array.from({ length: classes }, (_, k) => logits[row * classes + k]!);
  const highest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = values.map((value) => Math.exp(value - highest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
