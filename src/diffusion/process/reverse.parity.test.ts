/** The forward and reverse distributions of recorded tokens against the reference. */
import { it } from 'vitest';
import { codesOf, eachToken } from '../../../test/support/class-rows.ts';
import { type Fixture, onFixture } from '../../../test/support/fixtures.ts';
import { compare } from '../../../test/support/parity.ts';
import { clampLog } from './log-space.ts';
import { reverseProbabilities, reverseStep } from './reverse.ts';
import { type Coefficients, marginal, maskReplaceSchedule, type Schedule, transition } from './schedule.ts';

interface CaseSettings {
  readonly K: number;
  readonly L: number;
  readonly T: number;
}

/** Below this the reference's own clamps and its log(1e-30) show. */
const FAITHFUL = -40;

onFixture('diffusion', (file) => {
  const cases = file.matching(/^(\w+)\.x_t$/);

  it.each(cases)('computes the reverse step of case %s', (name) => {
    const { schedule, times, tokens } = open(file, name);
    const predictions = {
      q_posterior_recon: eachToken(file.tensor(`${name}.log_x0_recon`)),
      q_posterior_true: truths(file, name),
    };
    for (const [quantity, prediction] of Object.entries(predictions)) {
      const rows = [...tokens].map((token, i) => {
        const step = reverseStep(schedule, times(i) - 1, times(i));
        return reverseProbabilities(step, token, codesOf(prediction[i]!).map(Math.exp));
      });
      compareRows(quantity, rows, eachToken(file.tensor(`${name}.${quantity}`)));
    }
  });

  it.each(cases)('computes the divergences of case %s', (name) => {
    const { schedule, times, tokens } = open(file, name);
    const recon = eachToken(file.tensor(`${name}.log_x0_recon`)).map(codesOf);
    const truth = truths(file, name).map(codesOf);
    const codes = file.ints(`${name}.x0`);
    const rows = [...tokens].map((token, i) => {
      const step = reverseStep(schedule, times(i) - 1, times(i));
      const exact = reverseProbabilities(step, token, truth[i]!.map(Math.exp));
      return { exact, model: reverseProbabilities(step, token, recon[i]!.map(Math.exp)) };
    });
    const kl = rows.map(({ exact, model }) =>
      exact.reduce((sum, p, k) => sum + (p > 0 ? p * (Math.log(p) - clampLog(Math.log(model[k]!))) : 0), 0),
    );
    const nll = rows.map(({ model }, i) => -clampLog(Math.log(model[codes[i]!]!)));
    const near = (quantity: string, got: number[]) =>
      compare('diffusion', quantity, got, file.floats(`${name}.${quantity}`), { ofLargest: 2e-6, absolute: 1e-5 });
    near('kl', kl);
    near('decoder_nll', nll);
    near(
      'kl_aux',
      recon.map((row, i) => -row[codes[i]!]!),
    );
  });

  it.each(cases)('computes the forward steps of case %s', (name) => {
    const { schedule, times, tokens } = open(file, name);
    const clean = [...file.ints(`${name}.x0`)].map((code, i) => noised(schedule, marginal(schedule, times(i)), code));
    compareRows('q_pred_x0', clean, eachToken(file.tensor(`${name}.q_pred_x0`)));
    // For masks the reference's rows of codes are no probabilities; its posterior replaces them.
    const visible = [...tokens.keys()].filter((i) => tokens[i] !== schedule.codes);
    if (visible.length === 0) return;
    const noisy = visible.map((i) => noised(schedule, transition(schedule, times(i) - 1, times(i)), tokens[i]!));
    const expected = eachToken(file.tensor(`${name}.q_pred_one_timestep_xt`));
    compareRows(
      'q_pred_one_timestep_xt, visible',
      noisy,
      visible.map((i) => expected[i]!),
    );
  });
});

function open(file: Fixture, name: string) {
  const { K, L, T } = file.setting(name) as CaseSettings;
  const t = file.ints(`${name}.t`);
  const schedule = maskReplaceSchedule({ steps: T, codes: K });
  return { schedule, tokens: file.ints(`${name}.x_t`), times: (i: number) => t[Math.floor(i / L)]! };
}

/** log one-hot rows of x_0. */
function truths(file: Fixture, name: string): Float32Array[] {
  const { K } = file.setting(name) as CaseSettings;
  return [...file.ints(`${name}.x0`)].map((code) =>
    Float32Array.from({ length: K + 1 }, (_, k) => (k === code ? 0 : -Infinity)),
  );
}

/** q(. | code) over K codes and the mask. */
function noised({ codes }: Schedule, { alpha, beta, gamma }: Coefficients, code: number): Float64Array {
  return Float64Array.from({ length: codes + 1 }, (_, k) => (k === codes ? gamma : k === code ? alpha + beta : beta));
}

/** As probabilities everywhere, as logarithms where the reference is faithful. */
function compareRows(quantity: string, rows: readonly Float64Array[], expected: readonly Float32Array[]): void {
  const got = rows.flatMap((row) => [...row]);
  const logs = expected.flatMap((row) => [...row]);
  compare('diffusion', quantity, got, logs.map(Math.exp), { absolute: 1e-5 });
  const faithful = [...logs.keys()].filter((i) => logs[i]! > FAITHFUL);
  compare(
    'diffusion',
    `${quantity}, log`,
    faithful.map((i) => Math.log(got[i]!)),
    faithful.map((i) => logs[i]!),
    { absolute: 1e-4 },
  );
}
