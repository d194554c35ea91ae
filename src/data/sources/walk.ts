/** Lists the files below a folder in a fixed order, without leaving it through a symbolic link. */

import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, UserError } from '../../base/errors.ts';
import { nameFrom } from '../../base/text.ts';
import { kindOf } from '../../files/regular-file.ts';
import type { Rejected } from './containers/container.ts';
import { isRunFolder, isRunPart } from './own-files.ts';

/** A file below a folder. */
export interface Found {
  /** Relative to the folder, `/` between parts; bytes that are no UTF-8 as `\xff`. */
  readonly name: string;
  /** What opens it: bytes, because names need not be text. */
  readonly file: Buffer;
}

/** Sorted by code unit of the name, so that no locale changes the order. */
export interface Listing {
  readonly files: readonly Found[];
  readonly rejected: readonly Rejected[];
}

/**
 * Every regular file below `folder`, at any depth. Symbolic links are followed only to places inside the folder, and
 * into a directory once; of a snapshot in a hub's cache also into the blobs of that cache. Runs of this program are
 * left out. What is left out is listed with its reason. Throws a UserError when the folder is missing, not a directory
 * or unreadable.
 */
export async function walkFolder(folder: string): Promise<Listing> {
  const root = await openRoot(folder);
  const limits: Limits = { inside: [root, ...(await blobsOf(root))], followed: new Set() };
  const files: Found[] = [];
  const rejected: Rejected[] = [];

  const walk = async (relative: string, directory: Buffer, entries: readonly Entry[]): Promise<void> => {
    const isHubCache = isHubLayout(entries);
    const isRun = isRunFolder(directory, entries);
    for (const { name, bytes, dirent } of entries) {
      const child = relative === '' ? name : `${relative}/${name}`;
      const file = Buffer.concat([directory, Buffer.from(path.sep), bytes]);
      try {
        // The pictures of a hub's cache have their names in its snapshots.
        if ((isHubCache && name === 'blobs') || (isRun && isRunPart(name))) continue;
        const kind = dirent.isSymbolicLink() ? await followLink(file, limits) : dirent;
        if (kind.isFile()) files.push({ name: child, file });
        else if (kind.isDirectory()) {
          const inner = await entriesOf(file);
          if (isRunFolder(file, inner)) rejected.push({ path: child, reason: OWN_RUN });
          else await walk(child, file, inner);
        } else rejected.push({ path: child, reason: `not a regular file but ${kindOf(await stat(file))}` });
      } catch (error) {
        rejected.push({
          path: child,
          reason: error instanceof UserError ? error.message : `cannot be read: ${messageOf(error)}`,
        });
      }
    }
  };
  const start = Buffer.from(root);
  await walk('', start, await entriesOf(start).catch((error) => Promise.reject(folderError(folder, error))));
  return {
    files: files.sort((a, b) => (a.name < b.name ? -1 : 1)),
    rejected: rejected.sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

const OWN_RUN = 'a run of this program, which holds no training pictures';

async function openRoot(folder: string): Promise<string> {
  try {
    const root = await realpath(folder);
    if ((await stat(root)).isDirectory()) return root;
  } catch (error) {
    throw folderError(folder, error);
  }
  throw new UserError(`${folder} is not a folder: give the folder that holds the pictures`);
}

function folderError(folder: string, error: unknown): UserError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return new UserError(`No folder at ${folder}: check the path`);
  if (code === 'EACCES' || code === 'EPERM')
    return new UserError(`Cannot read the folder ${folder}: permission denied`);
  return new UserError(`Cannot read the folder ${folder}: ${messageOf(error)}`);
}

interface Entry {
  readonly name: string;
  readonly bytes: Buffer;
  readonly dirent: Pick<Dirent, 'isFile' | 'isDirectory' | 'isSymbolicLink'>;
}

/** Sorted, because the first link into a directory wins and the file system promises no order. */
async function entriesOf(directory: Buffer): Promise<Entry[]> {
  const dirents = await readdir(directory, { withFileTypes: true, encoding: 'buffer' });
  const entries = dirents.map((dirent) => ({ name: nameFrom(dirent.name), bytes: dirent.name, dirent }));
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Whether a folder is a repository in the Hugging Face hub's cache: contents by hash, and names that link to them. */
const isHubLayout = (entries: readonly Entry[]): boolean =>
  ['blobs', 'snapshots'].every((part) => entries.some(({ name, dirent }) => name === part && dirent.isDirectory()));

/** The blobs that a snapshot in a hub's cache (`<repository>/snapshots/<revision>/…`) links to. */
async function blobsOf(root: string): Promise<string[]> {
  const parts = root.split(path.sep);
  const at = parts.lastIndexOf('snapshots');
  if (at < 1) return [];
  const blobs = [...parts.slice(0, at), 'blobs'].join(path.sep);
  const found = await stat(blobs).catch(() => undefined);
  return found?.isDirectory() ? [await realpath(blobs)] : [];
}

interface Limits {
  /** Folders that links may lead into. */
  readonly inside: readonly string[];
  /** Folders that links have led into. */
  readonly followed: Set<string>;
}

/** What a link points to, or a UserError with the reason to leave it out. */
async function followLink(link: Buffer, { inside, followed }: Limits) {
  const target = await realpath(link, { encoding: 'buffer' }).catch(() => {
    throw new UserError('broken symbolic link');
  });
  if (!inside.some((folder) => isWithin(target, Buffer.from(folder))))
    throw new UserError('symbolic link out of the folder: copy here what it leads to, or name that place');
  const kind = await stat(target);
  if (kind.isDirectory()) {
    const here = await realpath(link.subarray(0, link.lastIndexOf(path.sep)), { encoding: 'buffer' });
    if (isWithin(here, target)) throw new UserError('symbolic link to its own parent');
    const key = target.toString('latin1');
    if (followed.has(key)) throw new UserError('symbolic link to a folder that another link has brought in');
    followed.add(key);
  }
  return kind;
}

/** Whether a place is a folder or lies below it. */
const isWithin = (place: Buffer, folder: Buffer): boolean =>
  Buffer.concat([place, SEPARATOR]).indexOf(Buffer.concat([folder, SEPARATOR])) === 0;

const SEPARATOR = Buffer.from(path.sep);
