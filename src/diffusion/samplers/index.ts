/** The samplers that a recipe can name, and what follows from their definitions. */

import * as z from 'zod';
import { UserError } from '../../base/errors.ts';
import * as registry from './registry.ts';
import type { ChainLength, Denoiser, SamplerOptions, ValuesOf } from './sampler.ts';

/** The name of a sampler. */
export type SamplerName = keyof typeof registry;

/** The definitions by name. */
export const samplers = { ...registry };
/** The names of all samplers. */
export const samplerNames = Object.keys(samplers) as [SamplerName, ...SamplerName[]];

type Shapes = (typeof registry)[SamplerName]['settings'];
type Intersection<Union> = (Union extends unknown ? (member: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;
type OwnShape = { [Setting in keyof Intersection<Shapes>]: Intersection<Shapes>[Setting] };

/** The settings that samplers own, of all samplers together: a part of the schema of a recipe. */
export const ownSettings = ownShape();
/** A value for each of them. */
export type OwnSettings = ValuesOf<OwnShape>;

function ownShape(): OwnShape {
  const all: Record<string, unknown> = {};
  for (const { name, settings } of Object.values(samplers))
    for (const [setting, schema] of Object.entries(settings)) {
      // Two meanings of one name could not lie in one recipe.
      if ((all[setting] ?? schema) !== schema) throw new Error(`two samplers own a setting ${setting}; ${name} is one`);
      all[setting] = schema;
    }
  return all as OwnShape;
}

/** Which samplers use a setting; all of them where none owns it. */
export function usersOf(setting: string): readonly SamplerName[] {
  return setting in ownSettings ? samplerNames.filter((name) => setting in samplers[name].settings) : samplerNames;
}

/** A sampler and the settings that samplers own, as a recipe holds them. */
export type SamplerSettings = OwnSettings & { readonly sampler: SamplerName };

/**
 * Draw tokens with the sampler that the settings name.
 * @returns clean tokens x_0, `[batch, tokens]`.
 * @throws UserError for a number of steps that the sampler cannot take; rejects with the signal's reason when aborted.
 */
export function drawTokens(
  settings: SamplerSettings,
  denoise: Denoiser,
  options: SamplerOptions,
): Promise<Int32Array<ArrayBuffer>> {
  const own = z.object(ownSettings).parse(settings);
  return samplers[settings.sampler].draw(denoise, { ...own, ...options });
}

/** The fewest and the most steps that a sampler can take. */
export function stepRange(sampler: SamplerName, chain: ChainLength): { readonly least: number; readonly most: number } {
  const { steps } = samplers[sampler];
  return steps ? steps(chain) : { least: 1, most: chain.times };
}

/**
 * Refuse settings that the sampler does not use, since they would change nothing.
 * @param named settings that were named for this sampler; those that a recipe keeps for other samplers are not.
 * @throws UserError naming the setting and the samplers that use it.
 */
export function refuseUnused(sampler: SamplerName, named: Readonly<Record<string, unknown>>): void {
  for (const setting of Object.keys(named)) {
    const users = usersOf(setting);
    if (!users.includes(sampler))
      throw new UserError(
        `The sampler ${sampler} does not use ${setting}: leave it out, or choose ${users.join(' or ')}`,
      );
  }
}
