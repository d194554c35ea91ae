/** The presets by name. */

import type { Recipe } from '../schema.ts';
import { base, fashion, nano, small } from './ours.ts';
import { coco256, ffhq256 } from './paper.ts';

export const presets: Readonly<Record<'nano' | 'small' | 'base' | 'fashion' | 'ffhq-256' | 'coco-256', Recipe>> = {
  nano,
  small,
  base,
  fashion,
  'ffhq-256': ffhq256,
  'coco-256': coco256,
};
