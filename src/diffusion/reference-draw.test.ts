/** The official draw against its recorded steps. */
import { describe, expect, it } from 'vitest';
import { codesOf, eachToken } from '../../test/support/class-rows.ts';
import { fixture, fixturesPresent } from '../../test/support/fixtures.ts';
import { gumbelArgmax, reverseLogProbabilities } from './reference-draw.ts';
import { reverseStep } from './reverse.ts';
import { maskReplaceSchedule } from './schedule.ts';

describe.skipIf(!fixturesPresent)('the sampling fixture', () => {
  const file = fixturesPresent ? fixture('sampling') : undefined;
  const steps = (file?.names ?? []).filter((name) => /^step\.rule0\.t\d+\.tokens$/.test(name));

  it.each(steps.map((name) => name.slice(0, -'.tokens'.length)))('%s draws the same tokens', (name) => {
    const t = Number(/t(\d+)$/.exec(name)![1]);
    const schedule = maskReplaceSchedule({ steps: file!.number('step_T'), codes: file!.number('K') });
    const step = reverseStep(schedule, t - 1, t);
    const current = file!.ints('step.x_t');
    const recon = eachToken(file!.tensor('step.log_x0_recon'));
    const uniform = eachToken(file!.tensor(`${name}.uniform`));
    const expected = eachToken(file!.tensor(`${name}.log_model_prob`));
    const tokens = [...current].map((token, i) => {
      const logProb = reverseLogProbabilities(step, token, codesOf(recon[i]!).map(Math.exp));
      logProb.forEach((value, k) => {
        // Impossible outcomes: the reference's 1e-30 grows by up to K / 1e-6 on its way through log space.
        if (expected[i]![k]! > -40) expect(Math.abs(value - expected[i]![k]!)).toBeLessThan(1e-4);
        else expect(value).toBeLessThan(-40);
      });
      return gumbelArgmax(logProb, uniform[i]!);
    });
    expect(tokens).toEqual([...file!.ints(`${name}.tokens`)]);
  });

  it('has recorded steps, masked and visible tokens', () => {
    expect(steps.length).toBeGreaterThan(0);
    const K = file!.number('K');
    expect(new Set([...file!.ints('step.x_t')].map((token) => token === K))).toEqual(new Set([true, false]));
  });
});

describe('gumbelArgmax', () => {
  it('survives the ends of the unit interval', () => {
    expect(gumbelArgmax([-1, -1, -1], [0, 1, 0.5])).toBe(1);
    expect(gumbelArgmax([0, -1], [0.5, 0.5])).toBe(0);
  });
});
