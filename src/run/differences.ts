/** What two runs were started with, compared. */

import { type Difference, recipeDifferences } from '../recipe/differences.ts';
import type { RunSettings } from './directory.ts';

/** The settings in which two runs differ, with the value of each: seed, data and CLIP, then those of their recipes. */
export function settingsDifferences(a: RunSettings, b: RunSettings): Difference[] {
  const beside = (['seed', 'data', 'clip'] as const)
    .map((name) => ({ name, a: a[name], b: b[name] }))
    .filter((pair) => pair.a !== pair.b);
  return [...beside, ...recipeDifferences(a.recipe, b.recipe)];
}
