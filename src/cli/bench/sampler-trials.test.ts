/** The trials that the options of `clipvq bench samplers` name. */

import { expect, it } from 'vitest';
import { UserError } from '../../base/errors.ts';
import { makeRecipe } from '../../recipe/recipe.ts';
import { type TrialOptions, trialsOf } from './sampler-trials.ts';

const model = { recipe: makeRecipe('nano'), tokens: 16 };
const trials = (options: Partial<TrialOptions>, leftOut: string[] = []) =>
  trialsOf({ reference: 'ancestral', ...options }, model, (text) => leftOut.push(text));

it('begins with the reference: all steps of ancestral, or the recipe as it is', () => {
  expect(trials({ only: ['purity'], steps: [3] })).toEqual([
    { name: 'ancestral', sampling: { sampler: 'ancestral', steps: 100 } },
    { name: 'purity', sampling: { sampler: 'purity', placement: 'even', steps: 3 } },
  ]);
  expect(trials({ only: ['purity'], steps: [3], reference: 'recipe' })[0]).toEqual({
    name: 'recipe',
    sampling: { steps: model.recipe.sampling.steps },
  });
});

it('tries every value of guidance with every other', () => {
  const swept = trials({
    only: ['strided-cosine'],
    steps: [4],
    guidance: [1, 2],
    guidanceSchedule: ['rising', 'falling'],
  });
  expect(swept.slice(1).map(({ name }) => name)).toEqual([
    'strided-cosine, guidance 1 rising',
    'strided-cosine, guidance 1 falling',
    'strided-cosine, guidance 2 rising',
    'strided-cosine, guidance 2 falling',
  ]);
  const [, interval] = trials({ only: ['strided'], steps: [4], guidanceFrom: [0.2], guidanceUntil: [0.8] });
  expect(interval).toEqual({
    name: 'strided, guidance from 0.2 until 0.8',
    sampling: { sampler: 'strided', placement: 'even', guidanceFrom: 0.2, guidanceUntil: 0.8, steps: 4 },
  });
});

it('leaves out, and says so, what halton has no codes for', () => {
  const leftOut: string[] = [];
  const names = trials({ only: ['halton', 'strided'], steps: [16, 17] }, leftOut).map(({ name }) => name);
  expect(names).toEqual(['ancestral', 'halton', 'strided', 'strided']);
  expect(leftOut).toEqual([expect.stringMatching(/halton takes 1 to 16 steps here: 17 left out/)]);
});

it('refuses what no model of this length can do, before anything is made', () => {
  expect(() => trials({ steps: [101] })).toThrow(UserError);
  expect(() => trials({ guidanceFrom: [0.5], guidanceUntil: [0.9, 0.4] })).toThrow(/before it begins/);
});
