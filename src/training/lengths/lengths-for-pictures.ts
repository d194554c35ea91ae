/**
 * How long our presets train on a set of so many pictures. Their lengths are right for drawn faces, of which there is
 * no end; sets of the user's are limited.
 */

import type { Recipe } from '../../recipe/schema.ts';
import { withSteps } from './lengths.ts';

/**
 * Times that a stage sees every picture, at least and at most, and how much longer than in the preset it may become
 * (docs/log.md says what was measured).
 *
 * - tokenizer: what it learns are textures, which repeat within a picture: its error falls with the pictures seen, and
 *   hardly depends on how many of them differ. So it keeps its length, sees every picture once where there are many,
 *   and stops early only for the smallest sets.
 * - diffusion: with 4,508 and 12,000 faces it was still learning after five times. A small set would be
 *   memorised; the bound for it is an allowance.
 */
const TIMES = {
  tokenizer: { least: 1, most: 100, longest: 4 },
  diffusion: { least: 5, most: 60, longest: 8 },
} as const;

/** Presets whose lengths follow the number of pictures; the paper's and those of built-in sets are what they are. */
const FOLLOWING: readonly string[] = ['nano', 'small', 'base'];

/** Pictures from which on each preset is recommended, the largest first. */
const SUITED = [
  { preset: 'base', pictures: 20_000 },
  { preset: 'small', pictures: 3000 },
  { preset: 'nano', pictures: 0 },
] as const;

/**
 * The preset for a set of so many pictures: a larger network memorises few pictures sooner.
 */
export const suitedPreset = (pictures: number): (typeof SUITED)[number]['preset'] =>
  SUITED.find((one) => pictures >= one.pictures)!.preset;

/**
 * The recipe with steps for so many pictures, but for stages whose steps were chosen.
 * @param chosen names of settings that were chosen, such as `diffusion.steps`.
 */
export function lengthsForPictures(recipe: Recipe, pictures: number, chosen: readonly string[] = []): Recipe {
  if (!FOLLOWING.includes(recipe.preset) || pictures < 1) return recipe;
  return (['tokenizer', 'diffusion'] as const)
    .filter((stage) => !chosen.includes(`${stage}.steps`))
    .reduce((changed, stage) => {
      const { steps, batch } = recipe[stage];
      const { least, most, longest } = TIMES[stage];
      const times = (n: number) => Math.ceil((n * pictures) / batch);
      const wanted = Math.min(Math.max(steps, times(least)), times(most), longest * steps);
      return wanted === steps ? changed : withSteps(changed, stage, Math.max(FEWEST, wanted));
    }, recipe);
}

/** Steps below which no set is too small for: the schedules need room for their phases. */
const FEWEST = 50;

/** What was changed, in a sentence; undefined where nothing was. */
export function lengthsNote(before: Recipe, after: Recipe, pictures: number): string | undefined {
  const changes = (['tokenizer', 'diffusion'] as const)
    .filter((stage) => after[stage].steps !== before[stage].steps)
    .map((stage) => {
      const { steps, batch } = after[stage];
      return `${stage} ${steps} instead of ${before[stage].steps} (each picture ${Number(((steps * batch) / pictures).toPrecision(2))} times)`;
    });
  if (changes.length === 0) return undefined;
  return `Steps for ${pictures} pictures: ${changes.join(', ')}`;
}
