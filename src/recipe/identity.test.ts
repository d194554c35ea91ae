import { expect, it } from 'vitest';
import { identityOf, recipeIdentity } from './identity.ts';
import { makeRecipe } from './recipe.ts';

it.each([
  ['clip', 'clip.gapWeight', '1'],
  ['pictures', 'pictures.duplicates', 'all'],
  ['diffusion', 'diffusion.fold', '2'],
  ['sampling', 'sampling.correction', 'shrink'],
] as const)('tells recipes apart as soon as an added setting of %s does something', (part, name, value) => {
  const [recipe, other] = [makeRecipe('nano'), makeRecipe('nano', { [name]: value })];
  expect(identityOf(part, other[part])).not.toBe(identityOf(part, recipe[part]));
  expect(recipeIdentity(other)).not.toBe(recipeIdentity(recipe));
});
