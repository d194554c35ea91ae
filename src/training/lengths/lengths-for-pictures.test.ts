/** Lengths of training by the size of a set. */

import { expect, it } from 'vitest';
import { makeRecipe } from '../../recipe/recipe.ts';
import { lengthsForPictures, lengthsNote, suitedPreset } from './lengths-for-pictures.ts';

const nano = makeRecipe('nano');
const stepsFor = (pictures: number, chosen?: readonly string[]) => {
  const { tokenizer, diffusion } = lengthsForPictures(nano, pictures, chosen);
  return [tokenizer.steps, diffusion.steps];
};

it('leaves a preset as it is for a set of the size that it is made for', () => {
  expect(lengthsForPictures(nano, nano.images)).toEqual(nano);
  expect(lengthsNote(nano, nano, nano.images)).toBeUndefined();
});

it('shows the diffusion model few pictures less often, and many pictures often enough', () => {
  const [few, many] = [300, 50_000].map((pictures) => lengthsForPictures(nano, pictures).diffusion);
  expect((few!.steps * few!.batch) / 300).toBeLessThanOrEqual(61);
  expect((many!.steps * many!.batch) / 50_000).toBeGreaterThanOrEqual(5);
  expect(few!.warmupSteps).toBeLessThan(nano.diffusion.warmupSteps);
  expect(stepsFor(10 ** 7)).toEqual([4 * nano.tokenizer.steps, 8 * nano.diffusion.steps]);
});

it('grows with the set, and never below what the phases need', () => {
  const sizes = [1, 30, 100, 300, 1000, 6000, 20_000, 50_000, 10 ** 6].map((n) => stepsFor(n));
  for (const stage of [0, 1]) {
    const steps = sizes.map((both) => both[stage]!);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(steps[0]).toBe(50);
  }
});

it('keeps steps that somebody has chosen, and lengths of the paper', () => {
  const chosen = makeRecipe('nano', { 'diffusion.steps': '7' });
  expect(lengthsForPictures(chosen, 50_000, ['diffusion.steps']).diffusion).toEqual(chosen.diffusion);
  const paper = makeRecipe('ffhq-256');
  expect(lengthsForPictures(paper, 300)).toEqual(paper);
});

it('says what it has changed, and which preset suits', () => {
  expect(lengthsNote(nano, lengthsForPictures(nano, 50_000), 50_000)).toMatch(
    /^Steps for 50000 pictures: tokenizer 8000 instead of 2000 \(each picture 0\.64 times\), diffusion \d+ instead of 1000 \(each picture 5 times\)$/,
  );
  expect([10, 5000, 10 ** 5].map(suitedPreset)).toEqual(['nano', 'small', 'base']);
});
