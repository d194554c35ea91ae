/** The noise schedule against the reference, in probabilities and in its logarithms. */
import { expect, it } from 'vitest';
import { onFixture } from '../../../test/support/fixtures.ts';
import { compare } from '../../../test/support/parity.ts';
import { maskReplaceSchedule } from './schedule.ts';

onFixture('schedule', (file) => {
  const cases = file.setting('cases') as [number, number][];

  it.each(cases)('agrees in every coefficient at T = %d, K = %d', (steps, codes) => {
    const schedule = maskReplaceSchedule({
      steps,
      codes,
      alphaBarStart: file.number('att_1'),
      alphaBarEnd: file.number('att_T'),
      gammaBarStart: file.number('ctt_1'),
      gammaBarEnd: file.number('ctt_T'),
    });
    const near = (name: string, got: Float64Array) =>
      compare('schedule', name, got, file.floats(`T${steps}_N${codes}.${name}`), { absolute: 1e-12 });
    near('at', schedule.alpha);
    near('bt', schedule.beta);
    near('ct', schedule.gamma);
    near('att', schedule.alphaBar);
    near('btt', schedule.betaBar);
    near('ctt', schedule.gammaBar);
  });

  it('has the published end points as defaults', () => {
    const [steps, codes] = cases[0]!;
    const { alphaBar, gammaBar } = maskReplaceSchedule({ steps, codes });
    const ends = [alphaBar[0]!, alphaBar[steps - 1]!, gammaBar[0]!, gammaBar[steps - 1]!];
    const published = ['att_1', 'att_T', 'ctt_1', 'ctt_T'].map((name) => file.number(name));
    compare('schedule', 'default end points', ends, published, { absolute: 1e-12 });
  });

  it('has a case', () => expect(cases.length).toBeGreaterThan(0));
});

onFixture('diffusion', (file) => {
  it.each(file.matching(/^(\w+)\.x0$/))('has the buffers of case %s', (name) => {
    const { K, T } = file.setting(name) as { K: number; T: number };
    const { alpha, beta, gamma, alphaBar, betaBar, gammaBar } = maskReplaceSchedule({ steps: T, codes: K });
    // float32 logarithms of probabilities down to 1e-8.
    const near = (buffer: string, got: Float64Array) =>
      compare('diffusion', 'buffers', got.map(Math.log), file.floats(`${name}.buffers.${buffer}`), {
        absolute: 1e-6,
        relative: 1e-6,
      });
    near('log_at', alpha);
    near('log_bt', beta);
    near('log_ct', gamma);
    near('log_cumprod_at', alphaBar);
    near('log_cumprod_bt', betaBar);
    near('log_cumprod_ct', gammaBar);
    near(
      'log_1_min_ct',
      gamma.map((c) => 1 - c),
    );
    near(
      'log_1_min_cumprod_ct',
      gammaBar.map((c) => 1 - c),
    );
  });
});
