/**
 * A recipe as the identity of what was made with it. Settings that were added later are left out where they mean what
 * the program did before, so that runs from before go on and models keep their hash.
 */

import type { Recipe } from './schema.ts';

/** By part of the recipe: settings that were added, with the value that changes nothing. */
const ADDED = {
  clip: { gapWeight: 0, imageTower: '', patience: 0 },
  diffusion: { fold: 1 },
  pictures: { duplicates: 'once', exclude: [], maxPixels: 100, holdOut: 0 },
  sampling: { correction: 'none' },
} as const;

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
