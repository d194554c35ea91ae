/**
 * A recipe as the identity of what was made with it. Settings that were added later are left out where they mean what
 * the program did before, so that runs from before go on and models keep their hash.
 */

import { ownSettings } from '../diffusion/samplers/index.ts';
import type { Recipe } from './schema.ts';

/** Settings of samplers that recipes have had from the beginning. */
const FIRST_OF_SAMPLERS = ['placement', 'remasking'];

/** The settings of samplers that were added since, with their defaults: no older sampler reads them. */
const addedBySamplers = Object.fromEntries(
  Object.entries(ownSettings).flatMap(([name, schema]) =>
    FIRST_OF_SAMPLERS.includes(name) ? [] : [[name, schema.parse(undefined)]],
  ),
);

/** By part of the recipe: settings that were added, with the value that changes nothing. */
const ADDED = {
  clip: { gapWeight: 0, imageTower: '', patience: 0 },
  diffusion: { fold: 1 },
  pictures: { duplicates: 'once', exclude: [], maxPixels: 100, holdOut: 0 },
  sampling: { correction: 'none', ...addedBySamplers },
};

/** A part of a recipe as JSON, for fingerprints. */
export function identityOf<P extends keyof Recipe>(part: P, settings: Recipe[P]): string {
  return JSON.stringify(settled(part, settings));
}

/** All of a recipe as JSON, for fingerprints. */
export function recipeIdentity(recipe: Recipe): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(recipe).map(([part, settings]) => [part, settled(part, settings)])),
  );
}

function settled(part: string, settings: unknown): unknown {
  const added: Readonly<Record<string, unknown>> = part in ADDED ? ADDED[part as keyof typeof ADDED] : {};
  if (typeof settings !== 'object' || settings === null) return settings;
  return Object.fromEntries(
    Object.entries(settings).filter(
      ([key, value]) => !(key in added && JSON.stringify(added[key]) === JSON.stringify(value)),
    ),
  );
}
