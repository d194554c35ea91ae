/** In which settings two recipes differ. */

import type { Recipe } from './schema.ts';
import { settingSchemas } from './schema.ts';

export interface Difference {
  /** The setting's dotted name. */
  readonly name: string;
  readonly a: unknown;
  readonly b: unknown;
}

/** Settings that have another value in `b` than in `a`, in the order of the schema; the preset's name is none. */
export function recipeDifferences(a: Recipe, b: Recipe): Difference[] {
  return [...settingSchemas.keys()]
    .map((name) => ({ name, a: settingOf(a, name), b: settingOf(b, name) }))
    .filter((pair) => JSON.stringify(pair.a) !== JSON.stringify(pair.b));
}

/** The value of a setting, by its dotted name. */
export const settingOf = (recipe: Recipe, name: string): unknown =>
  name.split('.').reduce<unknown>((at, key) => (at as Readonly<Record<string, unknown>>)[key], recipe);
