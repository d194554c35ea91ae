/** Where a CLIP comes from, a folder on this machine or a name on the Hugging Face hub, and what identifies it. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { fileError } from '../checkpoint/file-errors.ts';
import { hashFile } from '../checkpoint/hash-file.ts';
import { MOST_TEXT, openRegular } from '../checkpoint/regular-file.ts';
import { chooseFiles, LAYOUT, type Networks, networksAmong } from './clip-files.ts';
import { fetchedBefore, fetchFromHub, type HubOptions, isOffline } from './hub.ts';
import { SHIPPED, shippedClip } from './shipped.ts';

/** A CLIP on the disk. */
export interface ClipSource {
  /** As the user named it. */
  readonly model: string;
  /** Absolute. */
  readonly folder: string;
  readonly networks: Networks;
}

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

/** Of the form `owner/name`, and neither a folder that is there nor one that is missing from a folder that is there. */
const isHubName = (model: string): boolean => {
  const [, owner] = /^([\w-][\w.-]*)\/[\w-][\w.-]*$/.exec(model) ?? [];
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

/** Paths of the files that matter, relative to the folder. */
function filesIn(folder: string): string[] {
  const list = (sub: string) => {
    try {
      return fs.readdirSync(path.join(folder, sub)).map((name) => (sub === '' ? name : `${sub}/${name}`));
    } catch {
      return [];
    }
  };
  return [...list(''), ...list('onnx')];
}

/** The files that a CLIP needs, relative to its folder. */
export const neededFiles = ({ folder }: Pick<ClipSource, 'folder'>): readonly string[] => {
  const chosen = chooseFiles(filesIn(folder));
  if (typeof chosen === 'string') throw new UserError(`${folder} is not a CLIP: it ${chosen}`);
  return chosen;
};

/** Identity of a CLIP: SHA-256 over its files, 16 hex digits. Equal files in another place have the same identity. */
export function hashClip({ folder }: ClipSource): string {
  const hash = createHash('sha256');
  try {
    for (const name of chooseFiles(filesIn(folder))) {
      hash.update(`${name}\0`);
      hashFile(hash, path.join(folder, name));
    }
  } catch (error) {
    throw error instanceof UserError ? error : fileError('read', folder, error);
  }
  return hash.digest('hex').slice(0, 16);
}
