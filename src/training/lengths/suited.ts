/** The settings of a new run, with lengths for the pictures that lie where its data are. */

import { openContainer } from '../../data/sources/containers/open.ts';
import { isNamedSource } from '../../data/sources/open.ts';
import { isPairsFile } from '../../data/sources/pairs.ts';
import type { RunSettings } from '../../stage/context.ts';
import { lengthsForPictures, lengthsNote } from './lengths-for-pictures.ts';

export interface Suited {
  readonly settings: RunSettings;
  /** Files that may be pictures; undefined for built-in sets, whose size is a setting. */
  readonly pictures: number | undefined;
  /** What was changed, if anything was. */
  readonly note: string | undefined;
}

/**
 * Entries are counted, and none is opened.
 * @param chosen names of settings that were chosen: these steps stay.
 * @throws UserError if there is nothing at the place.
 */
export async function suitedToPictures(settings: RunSettings, chosen: readonly string[]): Promise<Suited> {
  const { data, recipe } = settings;
  if (isNamedSource(data) || isPairsFile(data)) return { settings, pictures: undefined, note: undefined };
  const container = await openContainer(data);
  await container.close();
  const pictures = container.names.length;
  const suited = lengthsForPictures(recipe, pictures, chosen);
  return { settings: { ...settings, recipe: suited }, pictures, note: lengthsNote(recipe, suited, pictures) };
}
