/** Guidance against sums by hand. */
import { describe, expect, it } from 'vitest';
import { guide } from './guidance.ts';
import { LOG_ZERO } from './process/log-space.ts';

describe('guide', () => {
  const conditional = Float32Array.of(0.7, 0.2, 0.1, 0.1, 0.1, 0.8).map(Math.log);
  const unconditional = Float32Array.of(0.2, 0.3, 0.5, 0.4, 0.3, 0.3).map(Math.log);

  it('normalises every row on its own', () => {
    const guided = guide(conditional, unconditional, 3, 2.5);
    for (const start of [0, 3]) {
      expect(guided.subarray(start, start + 3).reduce((sum, l) => sum + Math.exp(l), 0)).toBeCloseTo(1, 6);
    }
    // p_null (p_cond / p_null)^2.5 for the first row, by hand.
    const weights = [0.2 * 3.5 ** 2.5, 0.3 * (2 / 3) ** 2.5, 0.5 * 0.2 ** 2.5];
    const total = weights[0]! + weights[1]! + weights[2]!;
    weights.forEach((w, k) => {
      expect(Math.exp(guided[k]!)).toBeCloseTo(w / total, 6);
    });
  });

  it('is the null prediction at scale 0 and the conditional itself near 1', () => {
    const none = guide(conditional, unconditional, 3, 0);
    none.forEach((value, i) => {
      expect(value).toBeCloseTo(unconditional[i]!, 6);
    });
    expect(guide(conditional, unconditional, 3, 1.0005)).toBe(conditional);
  });

  it('clamps to [-70, 0]', () => {
    const guided = guide(Float32Array.of(0, -60), Float32Array.of(-1e-3, -7), 2, 5);
    expect(guided[0]).toBeCloseTo(0, 6);
    expect(guided[1]).toBe(LOG_ZERO);
  });
});
