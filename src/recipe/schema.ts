/**
 * The recipe: every setting of a run, in one schema, with what it means, its range, and its default (sections/). Sizes
 * and lengths have no default: a preset names them. The command line's help, the presets and the run directory all read
 * it.
 */

import * as z from 'zod';
import { clip } from './sections/clip.ts';
import { diffusion, finetune } from './sections/diffusion.ts';
import { pictures } from './sections/pictures.ts';
import { count, MOST } from './sections/ranges.ts';
import { sampling } from './sections/sampling.ts';
import { tokenizer } from './sections/tokenizer.ts';

export { sampling as samplingSchema } from './sections/sampling.ts';

/** Every setting of a run, with its range, default and description. */
export const recipeSchema = z.strictObject({
  preset: z.string(),
  imageSize: count(MOST.side).describe('side of the pictures, in pixels'),
  images: count(MOST.pictures).describe(
    'pictures drawn for the generator where the source is drawn (faces); folders use all they hold',
  ),
  pictures: pictures.prefault({}),
  clip,
  tokenizer,
  diffusion,
  finetune: finetune.prefault({}),
  sampling,
});

/** A recipe before defaults are filled in: what a preset says. */
export type RecipeInput = z.input<typeof recipeSchema>;

/** The schema of every setting but the preset's name, by its path such as `tokenizer.codes`. */
export const settingSchemas: ReadonlyMap<string, z.ZodType> = new Map(
  Object.entries(recipeSchema.shape).flatMap(([name, field]): [string, z.ZodType][] => {
    const section = field instanceof z.ZodPrefault ? field.unwrap() : field;
    if (section instanceof z.ZodObject)
      return Object.entries(section.shape).map(([key, schema]) => [`${name}.${key}`, schema as z.ZodType]);
    return name === 'preset' ? [] : [[name, field]];
  }),
);

export type Recipe = z.infer<typeof recipeSchema>;
export type PictureSettings = z.infer<typeof pictures>;
export type ClipSettings = Recipe['clip'];
export type TokenizerSettings = Recipe['tokenizer'];
export type DiffusionSettings = z.infer<typeof diffusion>;
export type SamplingSettings = Recipe['sampling'];
/** What the tokenizer needs to know. */
export type TokenizerRecipe = Pick<Recipe, 'imageSize' | 'tokenizer'>;

/** Side of the grid of codes: the picture in patches, halved once for each level after the first. */
export function gridSize({ imageSize, tokenizer }: TokenizerRecipe): number {
  return imageSize / (tokenizer.patchSize * 2 ** (tokenizer.channelMultipliers.length - 1));
}
