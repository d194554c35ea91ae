/** Guidance against sums by hand. */
import { describe, expect, it } from 'vitest';
import { guidedRows } from '../../test/support/prediction-rows.ts';
import { isGuided } from './guidance.ts';
import { LOG_ZERO } from './process/log-space.ts';

describe('guided', () => {
  const logs = (...probabilities: number[]) => Float32Array.from(probabilities, Math.log);
  const conditional = [logs(0.7, 0.2, 0.1), logs(0.1, 0.1, 0.8)];
  const unconditional = [logs(0.2, 0.3, 0.5), logs(0.4, 0.3, 0.3)];

  it('raises the ratio of the two predictions to the scale, and normalises every row on its own', () => {
    const rows = guidedRows(conditional, unconditional, 2.5);
    for (const row of rows) expect(row.reduce((sum, l) => sum + Math.exp(l), 0)).toBeCloseTo(1, 6);
    // p_null (p_cond / p_null)^2.5 for the first row, by hand.
    const weights = [0.2 * 3.5 ** 2.5, 0.3 * (2 / 3) ** 2.5, 0.5 * 0.2 ** 2.5];
    const total = weights[0]! + weights[1]! + weights[2]!;
    weights.forEach((w, k) => {
      expect(Math.exp(rows[0]![k]!)).toBeCloseTo(w / total, 6);
    });
  });

  it('is the null prediction at scale 0 and the conditional one at 1', () => {
    for (const [scale, expected] of [
      [0, unconditional],
      [1, conditional],
    ] as const)
      guidedRows(conditional, unconditional, scale).forEach((row, i) => {
        for (const [k, value] of row.entries()) expect(value).toBeCloseTo(expected[i]![k]!, 6);
      });
  });

  it('clamps to [-70, 0]', () => {
    const [row] = guidedRows([Float32Array.of(0, -60)], [Float32Array.of(-1e-3, -7)], 5);
    expect(row![0]).toBeCloseTo(0, 6);
    expect(row![1]).toBe(LOG_ZERO);
  });
});

it('needs no null prediction for a scale within 0.001 of 1', () => {
  expect([1, 1.0005, 0.9995].map(isGuided)).toEqual([false, false, false]);
  expect([0, 0.99, 1.01, 2].map(isGuided)).toEqual([true, true, true, true]);
});
