/** Where a CLIP comes from, a folder on this machine or a name on the Hugging Face hub. */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import { MOST_TEXT, openRegular } from '../../files/regular-file.ts';
import { type ClipSource, chooseFiles, filesIn, LAYOUT, networksAmong } from './clip-files.ts';
import { fetchedBefore, fetchFromHub, type HubOptions, isOffline } from './hub.ts';
import { SHIPPED, shippedClip } from './shipped.ts';

/**
 * Tell a folder from a hub name: `shipped` is the CLIP that comes with the package, what exists as a folder is one, and
 * so is everything that is not of the form `owner/name`, or whose owner is a folder. Returns a folder's full path, or
 * the hub name as it is. Nothing is fetched.
 * @throws UserError if the folder does not exist or lacks a file.
 */
export function clipName(model: string): string {
  if (isHubName(model)) return model;
  if (model === SHIPPED) return shippedClip();
  if (!fs.existsSync(model))
    throw new UserError(
      `There is no CLIP in ${model}: give a folder that clipvq train has made or one with ${LAYOUT}, or a hub name (owner/name)`,
    );
  return sourceIn(path.resolve(model), model).folder;
}

/**
 * A CLIP by its folder or hub name; a hub model is fetched if it is not in the cache.
 * @throws UserError if it is not there, is none, or cannot be fetched.
 */
export async function resolveClip(model: string, options: HubOptions = {}): Promise<ClipSource> {
  return sourceIn(isHubName(model) ? await fetchFromHub(model, options) : clipName(model), model);
}

/** Whether opening a CLIP will fetch it: it is no folder, was not fetched before, and may be. */
export const isToBeFetched = (model: string, options: HubOptions = {}): boolean =>
  isHubName(model) && fetchedBefore(model, options) === undefined && !isOffline(options);

/** What a name of the hub looks like; its owner is the first group. */
export const HUB_NAME = /^([\w-][\w.-]*)\/[\w-][\w.-]*$/;

/** Of the form `owner/name`, and neither a folder that is there nor one that is missing from a folder that is there. */
const isHubName = (model: string): boolean => {
  const [, owner] = HUB_NAME.exec(model) ?? [];
  return owner !== undefined && !fs.existsSync(model) && !fs.existsSync(owner);
};

function sourceIn(folder: string, model: string): ClipSource {
  const files = filesIn(folder);
  const chosen = chooseFiles(files);
  if (typeof chosen === 'string')
    throw new UserError(`${model} is not a CLIP: it ${chosen}; train it again or give another folder`);
  for (const name of chosen) readable(path.join(folder, name));
  return { model, folder, networks: networksAmong(files)! };
}

/** Settings and vocabularies are smaller; networks may have any size. */
function readable(file: string): void {
  const descriptor = openRegular(file, file.endsWith('.json') ? MOST_TEXT : undefined);
  fs.closeSync(descriptor);
}
