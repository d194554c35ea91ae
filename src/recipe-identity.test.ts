import { expect, it } from 'vitest';
import { makeRecipe, type Recipe } from './recipe.ts';
import { identityOf, recipeIdentity } from './recipe-identity.ts';

/** The recipe as it was before these settings existed. */
function before({ clip, ...rest }: Recipe): unknown {
  const { gapWeight: _, ...older } = clip;
  return { ...rest, clip: older };
}

it('gives a recipe from before a setting existed the identity that it had', () => {
  const recipe = makeRecipe('nano');
  const { preset, imageSize, images, pictures, clip, ...rest } = before(recipe) as Recipe;
  expect(recipeIdentity(recipe)).toBe(JSON.stringify({ preset, imageSize, images, pictures, clip, ...rest }));
  expect(identityOf('clip', recipe.clip)).toBe(JSON.stringify(clip));
});

it('tells recipes apart as soon as a setting that was added does something', () => {
  const [recipe, other] = [makeRecipe('nano'), makeRecipe('nano', { 'clip.gapWeight': '1' })];
  expect(identityOf('clip', other.clip)).not.toBe(identityOf('clip', recipe.clip));
  expect(recipeIdentity(other)).not.toBe(recipeIdentity(recipe));
});
