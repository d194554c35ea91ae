/** Runs that are made shorter or longer: their schedules end where they end, and what has begun stays begun. */

import { expect, it } from 'vitest';
import { makeRecipe } from '../../recipe/recipe.ts';
import { firstQuantizedStep, phaseAt } from '../../vqgan/schedule.ts';
import { cappedSteps, lengthened, lengthNote, longerSteps, scaledSteps } from './lengths.ts';

const nano = makeRecipe('nano');

it('has a codebook in a run that is cut to any length', () => {
  for (const most of [4, 30, 300]) {
    const { tokenizer, diffusion, clip } = cappedSteps(nano, most);
    expect([tokenizer.steps, diffusion.steps, clip.steps]).toEqual([most, most, most]);
    expect(firstQuantizedStep(tokenizer)).toBeLessThan(most);
    expect(phaseAt(tokenizer, most - 1)).not.toBe('autoencoder');
    expect(diffusion.warmupSteps / most).toBeLessThanOrEqual(
      nano.diffusion.warmupSteps / nano.diffusion.steps + 1 / most,
    );
  }
  expect(cappedSteps(nano, 1e6)).toEqual(nano);
});

it('makes all stages longer or shorter together, and no second stage where there is none', () => {
  const half = scaledSteps(nano, 0.5);
  expect(half.tokenizer.steps).toBe(Math.round(nano.tokenizer.steps / 2));
  expect(half.diffusion.steps).toBe(Math.round(nano.diffusion.steps / 2));
  expect(half.finetune.steps).toBe(0);
  expect(scaledSteps(nano, 2).diffusion.warmupSteps).toBe(nano.diffusion.warmupSteps);
});

it('keeps the phases that a tokenizer has come to when it is trained longer', () => {
  const { steps } = nano.tokenizer;
  const hard = { ...nano, tokenizer: { ...nano.tokenizer, hardAfter: 0.8 } };
  const longer = lengthened(hard, 'tokenizer', 10 * steps, steps);
  expect(firstQuantizedStep(longer.tokenizer)).toBe(firstQuantizedStep(nano.tokenizer));
  for (const step of [steps, 2 * steps, 10 * steps - 1]) expect(phaseAt(longer.tokenizer, step)).toBe('hard');
  const early = lengthened(nano, 'tokenizer', 10 * steps, 1);
  expect(early.tokenizer.autoencoderFraction).toBe(nano.tokenizer.autoencoderFraction);
  expect(lengthNote('tokenizer', hard, longer, steps)).toMatch(
    new RegExp(
      `^tokenizer: ${10 * steps} steps instead of ${steps}, ${steps} of them done; its learning rate goes on at .* the temperature at`,
    ),
  );
});

it('reads lengths as factors, as more steps and as steps in all', () => {
  expect(['2x', '1.5x', '+100', '3000'].map((text) => longerSteps(text, 200))).toEqual([400, 300, 300, 3000]);
  for (const text of ['', 'x', '-3', '2 x', '+x'])
    expect(() => longerSteps(text, 200)).toThrow(/^`longer: .*`: give 2x/);
});
