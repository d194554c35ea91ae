/** The samplers a recipe can name. */

import type { SamplingSettings } from '../../recipe.ts';
import { ancestral } from './ancestral.ts';
import { fast } from './fast.ts';
import { halton } from './halton.ts';
import { purity } from './purity.ts';
import { reference } from './reference.ts';
import { remask } from './remask.ts';
import type { Sampler } from './sampler.ts';
import { strided } from './strided.ts';

export type SamplerName = SamplingSettings['sampler'];

export const samplers: Readonly<Record<SamplerName, Sampler>> = {
  ancestral,
  strided,
  halton,
  remask,
  // Rule 2 with weight 1 of Improved VQ-Diffusion; counts are spread over any number of tokens.
  purity: purity({ order: 'purity', weight: 1, counts: 'even' }),
  fast,
  reference,
};
