/** Purity-prior steps and the official tables of counts against the reference. */
import { expect, it } from 'vitest';
import * as z from 'zod';
import { codesOf, eachToken } from '../../../test/support/class-rows.ts';
import { fixture, onFixture, onJsonFixture } from '../../../test/support/fixtures.ts';
import { compare, EXACT } from '../../../test/support/parity.ts';
import { uniforms } from '../../random/noise.ts';
import { gumbelArgmax } from '../process/reference-draw.ts';
import { drawPositions, purityScores, referenceTable, revealCounts, selectableScores, sharpened } from './purity.ts';

onFixture('sampling', (file) => {
  it.each(file.matching(/^step\.(rule[12]\.w[\d.]+)\.tokens$/))('step.%s', (name) => {
    const [, rule, weight] = /^rule([12])\.w([\d.]+)$/.exec(name)!;
    const [batch, length] = file.tensor('step.x_t').shape as [number, number];
    const noisy = file.ints('step.x_t');
    const mask = file.number('K');
    const recon = eachToken(file.tensor('step.log_x0_recon'));
    const uniform = eachToken(file.tensor(`step.${name}.uniform`));
    const expected = (what: string) => file.tensor(`step.${name}.${what}`);

    const pictures = Array.from({ length: batch }, (_, b) => Array.from({ length }, (_, l) => b * length + l));
    const scores = pictures.flatMap((positions) => {
      const largest = positions.map((i) => Math.exp(codesOf(recon[i]!).reduce((x, y) => Math.max(x, y))));
      return rule === '1' ? largest.map(() => 1) : [...purityScores(largest)];
    });
    const power = rule === '1' ? 0 : Number(weight);
    const rows = recon.map((row, i) => (power > 0 ? sharpened(row, scores[i]!, power) : Float64Array.from(row)));
    const proposal = rows.map((row, i) => gumbelArgmax(row, uniform[i]!));
    const selectable = pictures.flatMap((positions) => [
      ...selectableScores(
        positions.map((i) => scores[i]!),
        (l) => noisy[positions[l]!] === mask,
      ),
    ]);
    const logProbs = eachToken(expected('log_prob')).flatMap((row) => [...row]);
    compare(
      'sampling',
      'step.rule1/2 log_prob',
      rows.flatMap((row) => [...row]),
      logProbs,
      { absolute: 1e-4 },
    );
    compare('sampling', 'step.rule1/2 proposal', proposal, expected('proposal').data, EXACT);
    compare('sampling', 'step.rule1/2 select_score', selectable, expected('select_score').data, { absolute: 1e-6 });

    // Which positions torch drew is its own affair; that they are possible, and what becomes of them, is not.
    const selected = expected('selected_positions');
    const each = selected.shape[1]!;
    const tokens = Int32Array.from(noisy);
    selected.data.forEach((position, j) => {
      const i = Math.floor(j / each) * length + position;
      expect(selectable[i]).toBeGreaterThan(0);
      tokens[i] = proposal[i]!;
    });
    compare('sampling', 'step.rule1/2 tokens', tokens, expected('tokens').data, EXACT);
  });
});

const tables = z.object({
  n_sample: z.record(z.string(), z.array(z.number())),
  n_sample_sums: z.record(z.string(), z.number()),
  p_sample_prior: z.array(
    z.object({ rule: z.number(), weight: z.number(), n_sample: z.number(), sampled_after: z.array(z.number()) }),
  ),
});

onJsonFixture(
  'sampling',
  (value) => {
    const { n_sample, n_sample_sums, p_sample_prior } = tables.parse(value);

    it.each(Object.keys(n_sample))('n_sample %s', (name) => {
      const [, steps, limit] = /^(\d+)(?:_prior_ps_le_(\d+))?$/.exec(name)!;
      const table = referenceTable(Number(steps), limit === undefined ? Infinity : Number(limit));
      compare('sampling', 'n_sample', table, n_sample[name]!, EXACT);
      compare('sampling', 'n_sample sums', [table.reduce((a, b) => a + b, 0)], [n_sample_sums[name]!], EXACT);
      if (limit === undefined) expect(revealCounts('reference', 256, Number(steps))).toEqual(table.toReversed());
    });

    it.each(p_sample_prior)(
      'p_sample_prior, rule $rule, weight $weight',
      ({ rule, weight, n_sample: count, sampled_after }) => {
        const recorded = fixture('sampling').tensor(`step.rule${rule}.w${weight}.select_score`);
        const [batch, length] = recorded.shape as [number, number];
        const drawn = Array.from({ length: batch }, (_, b) => {
          const noise = uniforms({ seed: 0, stream: 'test', step: 0 }, b, length);
          return new Set(drawPositions(recorded.data.subarray(b * length, (b + 1) * length), count, noise)).size;
        });
        compare('sampling', 'p_sample_prior', drawn, sampled_after, EXACT);
      },
    );
  },
  'sampling.safetensors',
);
