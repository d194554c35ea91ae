/** A demo fits into its minutes on machines of any speed. */

import { expect, it } from 'vitest';
import { makeRecipe } from '../recipe/recipe.ts';
import { DEMO_MINUTES, demoRecipe, fittedDiffusion, plannedSeconds } from './demo-plan.ts';

const preset = makeRecipe('demo');

it('trains all that the preset has on a machine that is fast enough, and no more', () => {
  const recipe = demoRecipe(DEMO_MINUTES, 4);
  expect(recipe).toEqual(preset);
  const now = { minutes: DEMO_MINUTES, spent: 20, speed: 4, perStep: 0.02 };
  expect(fittedDiffusion(recipe, now)).toEqual(preset);
  expect(demoRecipe(2 * DEMO_MINUTES, 4).diffusion.steps).toBe(2 * preset.diffusion.steps);
});

it('gives the tokenizer a quarter of the time at most, and fewer pictures with fewer steps', () => {
  const slow = demoRecipe(DEMO_MINUTES, 0.1);
  expect(plannedSeconds(slow, 0.1)).toBeLessThan(0.25 * 60 * DEMO_MINUTES + 4 / 0.1 + 1);
  const share = slow.tokenizer.steps / preset.tokenizer.steps;
  expect(slow.images).toBe(Math.round(preset.images * share));
});

it('gives the diffusion model the seconds that are left, by what its step takes now', () => {
  const now = { minutes: 7, spent: 120, speed: 0.75, perStep: 0.15 };
  const { steps, warmupSteps } = fittedDiffusion(preset, now).diffusion;
  expect(steps * now.perStep).toBeGreaterThan(220);
  expect(now.spent + steps * now.perStep).toBeLessThan(420 - 18);
  expect(warmupSteps / steps).toBeCloseTo(preset.diffusion.warmupSteps / preset.diffusion.steps, 2);
  const later = fittedDiffusion(preset, { ...now, spent: 270 }).diffusion.steps;
  expect((steps - later) * now.perStep).toBeCloseTo(150 / 1.06, 0);
});

it('still has a model where there is no time at all', () => {
  const { diffusion } = fittedDiffusion(preset, { minutes: 1, spent: 600, speed: 0.1, perStep: 5 });
  expect(diffusion.steps).toBe(4);
  expect(diffusion.warmupSteps).toBe(1);
});
