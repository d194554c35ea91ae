/** Conventions for log-probabilities: natural logarithm, clamped to [LOG_ZERO, 0]. */

/** Stands for "impossible": exp(-70) is about 4e-31. The reference clamps every log-probability here. */
export const LOG_ZERO = -70;

/** A log-probability clamped to [LOG_ZERO, 0]. */
export function clampLog(value: number): number {
  return Math.min(0, Math.max(LOG_ZERO, value));
}

/** log sum_k exp(values[start + k]) over `count` entries, without overflow. */
export function logSumExp(values: ArrayLike<number>, start: number, count: number): number {
  let largest = -Infinity;
  for (let k = start; k < start + count; k++) largest = Math.max(largest, values[k]!);
  if (largest === -Infinity) return largest;
  let sum = 0;
  for (let k = start; k < start + count; k++) sum += Math.exp(values[k]! - largest);
  return largest + Math.log(sum);
}
