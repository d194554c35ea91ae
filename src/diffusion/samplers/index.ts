/** The samplers a recipe can name. */

import { UserError } from '../../base/errors.ts';
import type { SamplingSettings } from '../../recipe/schema.ts';
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

/** Settings that only some samplers know, and which. */
const knownBy: Readonly<Partial<Record<keyof SamplingSettings, readonly SamplerName[]>>> = {
  placement: ['strided', 'remask'],
  remasking: ['remask'],
};

/**
 * Refuse what was asked for and would change nothing.
 * @param asked settings that were named; those that a recipe holds in store for other samplers are not asked for.
 * @throws UserError naming the setting and the samplers that know it.
 */
export function refuseUnused(sampler: SamplerName, asked: Partial<SamplingSettings>): void {
  for (const [setting, known] of Object.entries(knownBy))
    if (setting in asked && !known.includes(sampler))
      throw new UserError(
        `The sampler ${sampler} does not use ${setting}: leave it out, or choose ${known.join(' or ')}`,
      );
}
