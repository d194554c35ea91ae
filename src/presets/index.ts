/** The presets by name. */

import type { Recipe } from '../recipe.ts';
import { base, nano, small } from './ours.ts';
import { coco256, ffhq256 } from './paper.ts';

export const presets: Readonly<Record<'nano' | 'small' | 'base' | 'ffhq-256' | 'coco-256', Recipe>> = {
  nano,
  small,
  base,
  'ffhq-256': ffhq256,
  'coco-256': coco256,
};
