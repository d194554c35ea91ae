/** The recipe that a command line names: a preset or a file, with changes. */

import { UserError } from '../base/errors.ts';
import { readRecipe } from '../recipe/file.ts';
import { makeRecipe, type RecipeChanges } from '../recipe/recipe.ts';
import type { Recipe } from '../recipe/schema.ts';

export interface RecipeChoice {
  readonly preset?: string | undefined;
  /** A file. */
  readonly recipe?: string | undefined;
  readonly set?: RecipeChanges | undefined;
}

/** @throws UserError where both a preset and a file are named, or a name or value does not exist or does not fit. */
export function recipeOf({ preset, recipe, set }: RecipeChoice): Recipe {
  if (recipe === undefined) return makeRecipe(preset ?? 'nano', set);
  if (preset === undefined) return readRecipe(recipe, set);
  throw new UserError(`${recipe} names its preset itself (preset: ${preset}): leave the other one out`);
}
