/** Comparison of a network's numbers with stored ones. */

import { expect } from 'vitest';

/**
 * Expect rtol 1e-3 of each value plus atol 1e-4 of the largest, as the fixtures' README suggests for networks; `absolute` is
 * for values that are zero in theory and rounding in practice. Returns the worst error as a share of the largest value.
 */
export function expectClose(got: ArrayLike<number>, expected: ArrayLike<number>, label: string, absolute = 2e-6): number {
  expect(got.length, label).toBe(expected.length);
  const largest = Math.max(...Array.from(expected, Math.abs));
  let [worst, excess] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(got[i]! - expected[i]!);
    if (Number.isNaN(error)) throw new Error(`${label}[${i}] is not a number`);
    worst = Math.max(worst, error);
    excess = Math.max(excess, error - 1e-3 * Math.abs(expected[i]!) - 1e-4 * largest - absolute);
  }
  expect(excess, `${label}: beyond the tolerance`).toBeLessThanOrEqual(0);
  return worst / largest;
}
