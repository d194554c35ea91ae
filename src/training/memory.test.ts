/**
 * Plans under a limit of memory: as few micro-batches as fit, no fewer than were set, and a clear word where none do.
 */

import { describe, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import type { Footprint } from '../engine/memory/footprint.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import type { StagePlan } from '../stage/descriptor.ts';
import { peakBytes, planFor, planLine, planUnder } from './memory.ts';
import { stages } from './stages.ts';

const baseline = { bytes: 100e6, hasRuntime: false };
/** 40 MB of state and 10 MB of activations for each picture of a micro-batch. */
const stage: StagePlan = {
  name: 'diffusion',
  batch: 12,
  footprint: (microBatches): Footprint => ({
    state: 40e6,
    activations: (12 / microBatches) * 10e6,
    copies: 5e6,
    programs: 50e6,
  }),
  smaller: { state: 'the state', activations: 'the rest' },
};
const peakIn = (microBatches: number) => peakBytes(stage.footprint(microBatches), baseline);

describe('planUnder', () => {
  it('takes the fewest micro-batches that fit, to the byte', () => {
    for (const microBatches of [1, 2, 3, 4, 6, 12]) {
      const limit = Math.ceil(peakIn(microBatches));
      const plan = planUnder(stage, 1, limit, baseline);
      expect(plan.microBatches).toBe(microBatches);
      expect(plan.bytes).toBeLessThanOrEqual(limit);
    }
    expect(planUnder(stage, 1, peakIn(2) - 1, baseline).microBatches).toBe(3);
    expect(planUnder(stage, undefined, 1e12, baseline).microBatches).toBe(1);
  });

  it('takes no fewer micro-batches than were set, nor more than there are pictures', () => {
    expect(planUnder(stage, 4, 1e12, baseline).microBatches).toBe(4);
    expect(planUnder(stage, 4, peakIn(6), baseline).microBatches).toBe(6);
    expect(planUnder(stage, 100, 1e12, baseline).microBatches).toBe(12);
    expect(() => planUnder(stage, 5, 1e12, baseline)).toThrow(/choose one of 1, 2, 3, 4, 6, 12/);
  });

  it('says what is needed and what to lower where even single pictures do not fit', () => {
    const tooLittle = () => planUnder(stage, 1, peakIn(12) - 1, baseline);
    expect(tooLittle).toThrow(UserError);
    expect(tooLittle).toThrow(
      /^diffusion: needs about \d+ MB even one picture at a time, and `memory` allows .*: allow more: the program itself takes about \d+ MB of it$/,
    );
    const heavy = { ...stage, footprint: () => ({ state: 1, activations: 2e9, copies: 0, programs: 0 }) };
    const large = { ...stage, footprint: () => ({ state: 3e9, activations: 2e9, copies: 0, programs: 0 }) };
    expect(() => planUnder(large, 1, 1e9, baseline)).toThrow(/allow more, or lower the state$/);
    expect(() => planUnder(heavy, 1, 1e9, baseline)).toThrow(/needs about 2\.\d GB .* allows 1\.0 GB: .*the rest$/);
  });

  it('is described in one line', () => {
    const plan = planUnder(stage, 1, peakIn(4), baseline);
    expect(planLine(stage, plan, 4e9)).toMatch(
      /^diffusion: batch 12 in 4 parts of 3 to stay under 4\.0 GB: about \d+ MB$/,
    );
  });
});

describe('the plan of a stage', () => {
  it.each(['clip', 'tokenizer', 'diffusion'] as const)(
    'of %s needs less in micro-batches, and the same state but for gradients',
    (name) => {
      const recipe = makeRecipe('nano', { 'tokenizer.batch': '16', 'clip.batch': '32' });
      const planned = stages[name].plan(recipe, 128);
      const [whole, split] = [planned.footprint(1), planned.footprint(8)];
      // Each activation belongs to pictures, but for what is made of weights.
      expect(split.activations).toBeLessThan(whole.activations / 3);
      expect(split.state).toBeLessThan(1.3 * whole.state);
      expect(split.state).toBeGreaterThan(0.7 * whole.state);
      expect(planFor(planned, 1, baseline).footprint).toEqual(whole);
    },
  );

  it('counts weights, average, moments and gradients of a diffusion model once each', () => {
    for (const inPlace of ['false', 'true']) {
      const recipe = makeRecipe('nano', {
        'diffusion.layers': '6',
        'diffusion.dim': '256',
        'diffusion.mlp': 'conv',
        'diffusion.updateInPlace': inPlace,
      });
      const { state } = stages.diffusion.plan(recipe, 128).footprint(1);
      expect(state / (5 * 4 * 32.1e6)).toBeCloseTo(1, 1);
    }
  });
});
