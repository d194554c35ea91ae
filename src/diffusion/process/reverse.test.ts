/** The reverse step against Bayes by enumeration, and draws against their probabilities. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chiSquareZ } from '../../../test/support/chi-square.ts';
import { anySchedule, bayes } from '../../../test/support/transition-matrix.ts';
import { UserError } from '../../base/errors.ts';
import { uniforms } from '../../random/noise.ts';
import { drawReverse, reverseProbabilities, reverseStep } from './reverse.ts';
import { maskReplaceSchedule } from './schedule.ts';

describe('reverseProbabilities', () => {
  const weights = fc.array(fc.double({ min: 0.001, max: 1, noNaN: true }), { minLength: 6, maxLength: 6 });

  it('equals Bayes by enumeration for every s < t, masked and not', () => {
    fc.assert(
      fc.property(anySchedule, fc.nat(), fc.nat(), fc.nat(), weights, (schedule, a, b, c, raw) => {
        const t = a % schedule.steps;
        const s = (b % (t + 1)) - 1;
        const token = c % (schedule.codes + 1);
        fc.pre(token === schedule.codes || schedule.betaBar[t]! > 0);
        const total = raw.slice(0, schedule.codes).reduce((sum, p) => sum + p, 0);
        const predicted = raw.slice(0, schedule.codes).map((p) => p / total);
        const actual = reverseProbabilities(reverseStep(schedule, s, t), token, predicted);
        const expected = bayes(schedule, s, t, token, predicted);
        actual.forEach((p, k) => {
          expect(p).toBeCloseTo(expected[k]!, 9);
        });
      }),
    );
  });

  it('does not care how the prediction is scaled', () => {
    const step = reverseStep(maskReplaceSchedule({ steps: 9, codes: 3 }), 2, 6);
    for (const token of [0, 3]) {
      const whole = reverseProbabilities(step, token, [0.5, 0.3, 0.2]);
      const scaled = reverseProbabilities(step, token, [0.05, 0.03, 0.02]);
      scaled.forEach((p, k) => {
        expect(p).toBeCloseTo(whole[k]!, 12);
      });
    }
  });

  it('keeps a visible code for certain where the schedule never replaces', () => {
    const masking = { alphaBarStart: 0.9, alphaBarEnd: 0.1, gammaBarStart: 0.1, gammaBarEnd: 0.9 };
    const step = reverseStep(maskReplaceSchedule({ steps: 4, codes: 3, ...masking }), 0, 2);
    expect([...reverseProbabilities(step, 1, [0.9, 0, 0.1])]).toEqual([0, 1, 0, 0]);
  });

  it('reveals the prediction itself in the step to the clean state', () => {
    const step = reverseStep(maskReplaceSchedule({ steps: 10, codes: 3 }), -1, 7);
    const p = reverseProbabilities(step, 3, [0.5, 0, 0.5]);
    expect([...p]).toEqual([0.5, 0, 0.5, 0]);
  });
});

describe('drawReverse', () => {
  const schedule = maskReplaceSchedule({ steps: 8, codes: 5, alphaBarEnd: 0.1, gammaBarEnd: 0.6 });
  const predicted = [0.3, 0.05, 0, 0.4, 0.25];
  const transitions = [
    { name: 'one step, masked', s: 4, t: 5, token: 5 },
    { name: 'one step, a code', s: 4, t: 5, token: 1 },
    { name: 'strided, masked', s: 1, t: 6, token: 5 },
    { name: 'strided, a code', s: 1, t: 6, token: 3 },
    { name: 'to the clean state, masked', s: -1, t: 6, token: 5 },
  ];

  it.each(transitions)('gives every outcome its share of evenly spaced uniforms: $name', ({ s, t, token }) => {
    const step = reverseStep(schedule, s, t);
    const n = 50_000;
    const counts = new Float64Array(6);
    for (let i = 0; i < n; i++) {
      const k = drawReverse(step, token, (i + 0.5) / n, () => predicted);
      counts[k] = counts[k]! + 1;
    }
    reverseProbabilities(step, token, predicted).forEach((p, k) => {
      expect(Math.abs(counts[k]! - n * p)).toBeLessThanOrEqual(1);
    });
  });

  it.each(transitions)('passes chi-square on random uniforms: $name', ({ s, t, token }) => {
    const step = reverseStep(schedule, s, t);
    const counts = new Float64Array(6);
    for (const u of uniforms({ seed: 11, stream: 'test', step: 0 }, 0, 20_000)) {
      const k = drawReverse(step, token, u, () => predicted);
      counts[k] = counts[k]! + 1;
    }
    expect(chiSquareZ(counts, reverseProbabilities(step, token, predicted))).toBeLessThan(4.5);
  });

  it('does not ask for a prediction while a token stays masked', () => {
    const step = reverseStep(schedule, 4, 5);
    const never = () => {
      throw new Error('asked');
    };
    expect(drawReverse(step, 5, 0, never)).toBe(5);
    expect(() => drawReverse(step, 5, 1 - 2 ** -53, never)).toThrow('asked');
  });

  it('never draws a code of probability zero, whatever the uniform', () => {
    const step = reverseStep(schedule, -1, 6);
    expect(drawReverse(step, 5, 0, () => [0, 1, 0, 0, 0])).toBe(1);
    expect(drawReverse(step, 5, 1 - 2 ** -53, () => [0, 1, 0, 0, 0])).toBe(1);
  });

  it.each([NaN, 0, Infinity])('refuses a prediction made of %d', (value) => {
    const step = reverseStep(schedule, -1, 6);
    for (const token of [2, 5]) {
      expect(() => drawReverse(step, token, 0.5, () => new Array(5).fill(value))).toThrow(UserError);
    }
  });
});
