/** The noise schedule against products of transition matrices, and the settings it refuses. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anySchedule, matrixPower } from '../../../test/support/transition-matrix.ts';
import { UserError } from '../../base/errors.ts';
import { marginal, maskReplaceSchedule, transition } from './schedule.ts';

describe('transition', () => {
  it('equals the product of the one-step matrices for every s < t', () => {
    fc.assert(
      fc.property(anySchedule, fc.nat(), fc.nat(), (schedule, a, b) => {
        const t = a % schedule.steps;
        const s = (b % (t + 1)) - 1;
        const { alpha, beta, gamma } = transition(schedule, s, t);
        const product = matrixPower(schedule, s, t);
        const K = schedule.codes;
        expect(product[0]![0]).toBeCloseTo(alpha + beta, 12);
        expect(product[0]![K]).toBeCloseTo(gamma, 12);
        if (K > 1) expect(product[0]![1]).toBeCloseTo(beta, 12);
        expect(alpha + K * beta + gamma).toBeCloseTo(1, 12);
      }),
    );
  });

  it('from the clean state is the marginal', () => {
    fc.assert(
      fc.property(anySchedule, fc.nat(), (schedule, a) => {
        const t = a % schedule.steps;
        const whole = transition(schedule, -1, t);
        const bar = marginal(schedule, t);
        for (const name of ['alpha', 'beta', 'gamma'] as const) expect(whole[name]).toBeCloseTo(bar[name], 12);
      }),
    );
  });

  it('refuses times outside the schedule and backward steps', () => {
    const schedule = maskReplaceSchedule({ steps: 5, codes: 3 });
    expect(() => transition(schedule, 2, 5)).toThrow(RangeError);
    expect(() => transition(schedule, -2, 1)).toThrow(RangeError);
    expect(() => transition(schedule, 3, 3)).toThrow(RangeError);
  });
});

describe('maskReplaceSchedule', () => {
  it('makes replacement exactly zero when keeping and masking share everything', () => {
    const { beta, betaBar } = maskReplaceSchedule({
      steps: 7,
      codes: 3,
      alphaBarStart: 0.9,
      alphaBarEnd: 0.1,
      gammaBarStart: 0.1,
      gammaBarEnd: 0.9,
    });
    expect([...beta, ...betaBar].every((b) => b === 0)).toBe(true);
  });

  it.each([
    { steps: 1, codes: 4 },
    { steps: 2.5, codes: 4 },
    { steps: 10, codes: 0 },
    { steps: 10, codes: 4, alphaBarEnd: 1 },
    { steps: 10, codes: 4, gammaBarStart: 0 },
    { steps: 10, codes: 4, gammaBarEnd: 1.5 },
    { steps: 10, codes: 4, alphaBarStart: 0.9, gammaBarStart: 0.2 },
    // Few codes kept early on, nearly all of the unmasked ones later: replaced codes cannot come back.
    { steps: 10, codes: 4, alphaBarStart: 0.5, gammaBarStart: 0.1, alphaBarEnd: 0.099, gammaBarEnd: 0.9 },
  ])('refuses %o in one line', (settings) => {
    expect(() => maskReplaceSchedule(settings)).toThrow(UserError);
    expect(() => maskReplaceSchedule(settings)).toThrow(/^diffusion schedule: [^\n]+$/);
  });
});
