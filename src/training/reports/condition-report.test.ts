/** What is worth saying of a model whose prompts change nothing. */

import { expect, it } from 'vitest';
import { changedRecipe, makeRecipe } from '../../recipe/recipe.ts';
import { conditionNote } from './condition-report.ts';

const recipe = makeRecipe('nano');
const check = { pictures: 24, isTrainedOn: false, right: 3.2, shuffled: 3.2, error: 0.01 };

it('says that a condition is ignored, and which settings to change', () => {
  expect(conditionNote(check, recipe)).toMatch(
    /^diffusion: it ignores its condition: the codes of 24 pictures that it has not seen cost 3\.200 nats under their own CLIP embedding and 3\.200 under another's.*`longer: "2x"`/,
  );
  expect(conditionNote({ ...check, shuffled: 3.215 }, recipe)).toContain('ignores');
  const drowned = changedRecipe(recipe, { 'diffusion.noiseScale': '0.9', 'diffusion.nullProbability': '0.5' });
  expect(conditionNote(check, drowned)).toMatch(/lower diffusion\.nullProbability, lower diffusion\.noiseScale/);
});

it('is silent where the right condition helps beyond chance', () => {
  expect(conditionNote({ ...check, shuffled: 3.23 }, recipe)).toBeUndefined();
  expect(conditionNote({ ...check, error: 0, shuffled: 3.201 }, recipe)).toContain('ignores');
});
