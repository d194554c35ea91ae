/** The presets by name, with the schema's defaults filled in. */

import { type Recipe, type RecipeInput, recipeSchema } from '../schema.ts';
import { base, demo, fashion, nano, small } from './ours.ts';
import { coco256, ffhq256 } from './paper.ts';

export type PresetName = 'nano' | 'demo' | 'small' | 'base' | 'fashion' | 'ffhq-256' | 'coco-256';

const resolved = (preset: RecipeInput): Recipe => recipeSchema.parse(preset);

/** The presets by name, complete. */
export const presets: Readonly<Record<PresetName, Recipe>> = {
  nano: resolved(nano),
  demo: resolved(demo),
  small: resolved(small),
  base: resolved(base),
  fashion: resolved(fashion),
  'ffhq-256': resolved(ffhq256),
  'coco-256': resolved(coco256),
};
