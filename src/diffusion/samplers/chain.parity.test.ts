/**
 * Whole chains through the engine against recorded ones: plain, guided and truncated, and with the official shortcut.
 */

import { afterAll, expect, it } from 'vitest';
import * as z from 'zod';
import { fixture, onFixture, onJsonFixture } from '../../../test/support/fixtures.ts';
import { startKeepingEngine } from '../../../test/support/keeping-engine.ts';
import { compare, EXACT } from '../../../test/support/parity.ts';
import { referenceConfig, referenceModel } from '../../../test/support/reference-transformer.ts';
import type { NDArray } from '../../base/ndarray.ts';
import { leaves } from '../../base/tree.ts';
import { DenoiserPool } from '../model.ts';
import { maskReplaceSchedule } from '../process/schedule.ts';
import { type ChainStep, exactPlan, reverseChain } from './chain.ts';
import { fastPlan } from './fast.ts';
import { referenceDraw } from './reference.ts';

const engine = startKeepingEngine();
afterAll(() => engine.close());

interface Settings {
  readonly guidanceScale: number;
  readonly truncation: number | undefined;
  readonly plan: ChainStep[];
}

/** What the name of a chain says: `plain`, `cfg<scale>_top<rate>r` or `fast<skip>`. */
function settingsOf(name: string, total: number): Settings {
  const cfg = /^cfg([\d.]+)_top([\d.]+)r$/.exec(name);
  const skip = /^fast(\d+)$/.exec(name);
  if (!cfg && !skip && name !== 'plain') throw new Error(`no such chain: ${name}`);
  return {
    guidanceScale: cfg ? Number(cfg[1]) : 1,
    truncation: cfg ? Number(cfg[2]) : undefined,
    plan: skip ? fastPlan(total, Number(skip[1])) : exactPlan(total, total),
  };
}

onFixture(
  'sampling',
  (file) => {
    it.each(file.matching(/^chain\.(.*)\.tokens_per_step$/))('chain %s', async (name) => {
      const network = fixture('transformer');
      const config = referenceConfig(network);
      const total = file.number('chain_T');
      const { guidanceScale, truncation, plan } = settingsOf(name, total);
      const expected = file.tensor(`chain.${name}.tokens_per_step`);
      const [steps, batch, tokens] = expected.shape as [number, number, number];
      expect(plan).toHaveLength(steps);

      const params = referenceModel(network, file.floats('chain.empty_text_embed'));
      const pool = await DenoiserPool.create(engine, config, leaves<NDArray>(params), 'raw');
      const denoise = await pool.denoiser(Float32Array.from(file.floats('chain.cond')), guidanceScale);
      const uniform = file.floats(`chain.${name}.uniform`);
      const perStep = uniform.length / steps;
      const visited: number[] = [];
      const options = {
        schedule: maskReplaceSchedule({ steps: total, codes: config.codes }),
        batch,
        tokens,
        steps: total,
        truncation,
        noise: { seed: 0, samples: Array.from({ length: batch }, (_, i) => i) },
        onStep: (progress: { tokens: Int32Array }) => void visited.push(...progress.tokens),
      };
      const draw = referenceDraw((index) => uniform.subarray(index * perStep, (index + 1) * perStep), tokens);
      await reverseChain(denoise, options, draw, { plan });
      compare('sampling', `chain.${name} tokens`, visited, file.ints(`chain.${name}.tokens_per_step`), EXACT);
    });
  },
  'transformer.safetensors',
);

const fastCases = z.object({
  sample_fast: z.array(
    z.object({ T: z.number(), skip_step: z.number(), steps: z.array(z.number()), posterior_t: z.array(z.number()) }),
  ),
});

onJsonFixture('sampling', (value) => {
  it.each(fastCases.parse(value).sample_fast)('sample_fast, T = $T, skip $skip_step', (c) => {
    const plan = fastPlan(c.T, c.skip_step);
    compare(
      'sampling',
      'sample_fast times',
      plan.map(({ time }) => time),
      c.steps,
      EXACT,
    );
    compare(
      'sampling',
      'sample_fast posterior_t',
      plan.map(({ from }) => from),
      c.posterior_t,
      EXACT,
    );
    expect(plan.every(({ from, to }) => to === from - 1)).toBe(true);
  });
});
