/** The official draw against its recorded steps. */
import { expect, it } from 'vitest';
import { codesOf, eachToken } from '../../../test/support/class-rows.ts';
import { onFixture } from '../../../test/support/fixtures.ts';
import { compare, EXACT } from '../../../test/support/parity.ts';
import { gumbelArgmax, reverseLogProbabilities } from './reference-draw.ts';
import { reverseStep } from './reverse.ts';
import { maskReplaceSchedule } from './schedule.ts';

onFixture('sampling', (file) => {
  it.each(file.matching(/^(step\.rule0\.t\d+)\.tokens$/))('%s draws the same tokens', (name) => {
    const t = Number(/t(\d+)$/.exec(name)![1]);
    const schedule = maskReplaceSchedule({ steps: file.number('step_T'), codes: file.number('K') });
    const step = reverseStep(schedule, t - 1, t);
    const recon = eachToken(file.tensor('step.log_x0_recon'));
    const uniform = eachToken(file.tensor(`${name}.uniform`));
    const logProbs = [...file.ints('step.x_t')].map((token, i) =>
      reverseLogProbabilities(step, token, codesOf(recon[i]!).map(Math.exp)),
    );
    const got = logProbs.flatMap((row) => [...row]);
    const expected = eachToken(file.tensor(`${name}.log_model_prob`)).flatMap((row) => [...row]);
    // Impossible outcomes: the reference's 1e-30 grows by up to K / 1e-6 on its way through log space.
    const possible = [...expected.keys()].filter((i) => expected[i]! > -40);
    const [ours, theirs] = [possible.map((i) => got[i]!), possible.map((i) => expected[i]!)];
    compare('sampling', 'step.rule0 log_model_prob', ours, theirs, { absolute: 1e-4 });
    expect(got.every((value, i) => expected[i]! > -40 || value < -40)).toBe(true);
    const tokens = logProbs.map((row, i) => gumbelArgmax(row, uniform[i]!));
    compare('sampling', 'step.rule0 tokens', tokens, file.ints(`${name}.tokens`), EXACT);
  });
});
