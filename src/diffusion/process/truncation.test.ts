/** Top-r truncation against a plain sort. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { truncatedRow } from '../../../test/support/prediction-rows.ts';
import { UserError } from '../../base/errors.ts';
import { LOG_ZERO } from './log-space.ts';
import { truncateProbabilities } from './truncation.ts';

describe('truncateProbabilities', () => {
  /** Few distinct values, so that ties are common. */
  const distribution = fc
    .array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 40 })
    .map((logits) => normalize(logits));

  it('equals a full sort: keep while the codes before hold less than r', () => {
    fc.assert(
      fc.property(distribution, fc.double({ min: 0.01, max: 0.999, noNaN: true }), (logProbs, r) => {
        const order = [...logProbs.keys()].sort((a, b) => logProbs[b]! - logProbs[a]! || a - b);
        const expected = new Float32Array(logProbs.length).fill(LOG_ZERO);
        let before = 0;
        for (const k of order) {
          if (before < r) expected[k] = logProbs[k]!;
          before += Math.exp(logProbs[k]!);
        }
        expect([...truncatedRow(logProbs, r)]).toEqual([...expected]);
      }),
    );
  });

  it('drops the code that comes up when r is reached exactly', () => {
    const half = Float32Array.of(0.5, 0.25, 0.25).map(Math.log);
    // The float32 logarithm of one half is just below it or exact: ask from the rounded value itself.
    expect(kept(truncatedRow(half, Math.exp(half[0]!)))).toEqual([0]);
    expect(kept(truncatedRow(half, Math.exp(half[0]!) + 1e-9))).toEqual([0, 1]);
  });

  it('always keeps the likeliest code, everything at 1, and leaves the logarithms alone', () => {
    const logProbs = normalize([3, 9, 1]);
    const copy = logProbs.slice();
    expect(kept(truncatedRow(logProbs, 1e-6))).toEqual([1]);
    expect(truncatedRow(logProbs, 1)).toEqual(copy);
    expect(logProbs).toEqual(copy);
  });

  it.each([0, -0.1, 1.01, NaN])('refuses r = %d', (r) => {
    expect(() => truncateProbabilities(Float64Array.of(1), Float32Array.of(0), r)).toThrow(UserError);
  });
});

function normalize(logits: readonly number[]): Float32Array {
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
  return Float32Array.from(logits, (logit) => logit - Math.log(total));
}

function kept(logProbs: Float32Array): number[] {
  return [...logProbs.keys()].filter((k) => logProbs[k] !== LOG_ZERO);
}
