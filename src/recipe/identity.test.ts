import { expect, it } from 'vitest';
import { identityOf, recipeIdentity } from './identity.ts';
import { makeRecipe } from './recipe.ts';
import type { Recipe } from './schema.ts';

it('gives a recipe from before a setting existed the identity that it had', () => {
  const recipe = makeRecipe('nano');
  const older: Recipe = structuredClone(recipe);
  Reflect.deleteProperty(older.clip, 'gapWeight');
  Reflect.deleteProperty(older.clip, 'imageTower');
  Reflect.deleteProperty(older.diffusion, 'fold');
  Reflect.deleteProperty(older.sampling, 'correction');
  expect(recipeIdentity(recipe)).toBe(JSON.stringify(older));
  expect(identityOf('clip', recipe.clip)).toBe(JSON.stringify(older.clip));
  expect(JSON.stringify(older)).not.toBe(JSON.stringify(recipe));
});

it.each([
  ['clip', 'clip.gapWeight', '1'],
  ['diffusion', 'diffusion.fold', '2'],
  ['sampling', 'sampling.correction', 'shrink'],
] as const)('tells recipes apart as soon as an added setting of %s does something', (part, name, value) => {
  const [recipe, other] = [makeRecipe('nano'), makeRecipe('nano', { [name]: value })];
  expect(identityOf(part, other[part])).not.toBe(identityOf(part, recipe[part]));
  expect(recipeIdentity(other)).not.toBe(recipeIdentity(recipe));
});
