/** Pearson's goodness-of-fit test, for checking draws against exact probabilities. */

/**
 * How surprising `counts` are under `probabilities`, in standard deviations: the chi-square statistic turned into a z
 * score (Wilson & Hilferty 1931). Cells expected fewer than 5 times are pooled. Draws of an impossible outcome give
 * Infinity. Above 4.5 chance is out of the question (p < 4e-6).
 */
export function chiSquareZ(counts: ArrayLike<number>, probabilities: ArrayLike<number>): number {
  const draws = sum(counts);
  const cells: [observed: number, expected: number][] = [];
  const pool: [number, number] = [0, 0];
  for (let k = 0; k < counts.length; k++) {
    const expected = draws * probabilities[k]!;
    if (expected === 0 && counts[k]! > 0) return Infinity;
    if (expected >= 5) {
      cells.push([counts[k]!, expected]);
    } else {
      pool[0] += counts[k]!;
      pool[1] += expected;
    }
  }
  if (pool[1] >= 5) cells.push(pool);
  const degrees = cells.length - 1;
  if (degrees < 1) throw new Error('chi-square needs two cells expected at least 5 times: draw more');
  const statistic = cells.reduce((total, [observed, expected]) => total + (observed - expected) ** 2 / expected, 0);
  const spread = 2 / (9 * degrees);
  return (Math.cbrt(statistic / degrees) - (1 - spread)) / Math.sqrt(spread);
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}
