/** Lists the files below a folder in a fixed order, without leaving it through a symbolic link. */
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, UserError } from '../../base/errors.ts';
import type { Rejected } from './containers/container.ts';

/** Paths relative to the folder, `/` between parts, sorted by code unit so that no locale changes the order. */
export interface Listing {
  readonly files: readonly string[];
  readonly rejected: readonly Rejected[];
}

/**
 * Every regular file below `folder`, at any depth. Symbolic links are followed only to places inside the folder, and into a directory once;
 * what is left out is listed with its reason. Throws a UserError when the folder is missing, not a directory or unreadable.
 */
export async function walkFolder(folder: string): Promise<Listing> {
  const root = await openRoot(folder);
  const files: string[] = [];
  const rejected: Rejected[] = [];
  const followed = new Set<string>();

  const walk = async (relative: string, entries: readonly Dirent[]): Promise<void> => {
    for (const entry of entries) {
      const child = relative === '' ? entry.name : `${relative}/${entry.name}`;
      try {
        const kind = entry.isSymbolicLink() ? await followLink(root, child, followed) : entry;
        if (kind.isFile()) files.push(child);
        else if (kind.isDirectory()) await walk(child, await entriesOf(path.join(root, child)));
        else rejected.push({ path: child, reason: 'not a regular file' });
      } catch (error) {
        rejected.push({
          path: child,
          reason: error instanceof UserError ? error.message : `cannot be read: ${messageOf(error)}`,
        });
      }
    }
  };
  await walk('', await entriesOf(root).catch((error) => Promise.reject(folderError(folder, error))));
  return { files: files.sort(), rejected: rejected.sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

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
  if (code === 'ENOENT') return new UserError(`no folder at ${folder}: check the path`);
  if (code === 'EACCES' || code === 'EPERM')
    return new UserError(`cannot read the folder ${folder}: permission denied`);
  return new UserError(`cannot read the folder ${folder}: ${messageOf(error)}`);
}

/** Sorted, because the first link into a directory wins and the file system promises no order. */
async function entriesOf(directory: string): Promise<Dirent[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What a link points to, or a UserError with the reason to leave it out. */
async function followLink(root: string, child: string, followed: Set<string>) {
  const link = path.join(root, child);
  const target = await realpath(link).catch(() => {
    throw new UserError('broken symbolic link');
  });
  if (target !== root && !target.startsWith(root + path.sep)) throw new UserError('symbolic link out of the folder');
  const kind = await stat(target);
  if (kind.isDirectory()) {
    const here = await realpath(path.dirname(link));
    if (`${here}${path.sep}`.startsWith(`${target}${path.sep}`)) throw new UserError('symbolic link to its own parent');
    if (followed.has(target)) throw new UserError('symbolic link to a folder that another link has brought in');
    followed.add(target);
  }
  return kind;
}
