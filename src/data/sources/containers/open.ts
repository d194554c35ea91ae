/** Tells by content what a path holds, and opens it. */

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, UserError } from '../../../base/errors.ts';
import { identify, inPlaceOfFile, NOT_A_PICTURE } from '../../pictures/identify.ts';
import { bytesAt, type Container, HEAD, type Rejected, withFile } from './container.ts';
import { openFolder } from './folder.ts';
import { openTar } from './tar.ts';
import { looksLikeTar } from './tar-header.ts';

/**
 * Open a folder, a zip or tar archive, or a Parquet file. Archives and tables inside a folder (shards) are opened too;
 * their entries are named `shard.tar/entry`.
 * @throws UserError if there is nothing at the path, or nothing of these.
 */
export async function openContainer(where: string): Promise<Container> {
  const found = await stat(where).catch((error: NodeJS.ErrnoException) => {
    throw new UserError(
      error.code === 'ENOENT'
        ? `no folder or file at ${where}: check the path`
        : `Cannot read ${where}: ${messageOf(error)}`,
    );
  });
  if (found.isDirectory()) return withShards(await openFolder(where));
  const archive = await openArchive(where);
  if (archive) return archive;
  const head = await headOf(where);
  throw new UserError(`${where} is ${inPlaceOfFile(head.toString('latin1')) ?? otherThan(head)}`);
}

/** What a file is that cannot be opened, and what to give. */
function otherThan(head: Uint8Array): string {
  const identity = identify(head);
  if ('format' in identity) return `one ${identity.format.toUpperCase()} picture: give the folder that it lies in`;
  const { reason } = identity;
  if (reason.startsWith('packed'))
    return `${reason.replace(/:.*/, '')}, which cannot be read in place: unpack it and give the folder or the .tar`;
  return `${reason === NOT_A_PICTURE ? '' : `${reason.replace(/:.*/, '')}, and `}not a folder, a zip or tar archive, or a Parquet file: give one of these`;
}

/** How zip archives begin: with an entry, the directory of an empty one, or the mark of a part. */
const ZIP = new Set(['504b0304', '504b0506', '504b0708']);

/** The archive at a path, or undefined if it is none. */
async function openArchive(file: string): Promise<Container | undefined> {
  const head = await headOf(file);
  if (head.subarray(0, 4).toString('latin1') === 'PAR1') return (await import('./parquet.ts')).openParquet(file);
  if (ZIP.has(head.subarray(0, 4).toString('hex'))) return (await import('./zip.ts')).openZip(file);
  if (looksLikeTar(head)) return openTar(file);
  return undefined;
}

const headOf = async (file: string): Promise<Buffer> =>
  withFile(file, async (handle) => Buffer.from(await bytesAt(handle, 0, HEAD)));

const SHARD = /\.(zip|tar|parquet)$/i;

/** A folder with the archives in it opened. A broken one is listed, and the others are used. */
async function withShards(folder: Container): Promise<Container> {
  if (!folder.names.some((name) => SHARD.test(name))) return folder;
  const shards = new Map<string, Container>();
  const rejected: Rejected[] = [...folder.rejected];
  for (const name of folder.names.filter((file) => SHARD.test(file))) {
    try {
      const shard = await openArchive(path.join(folder.path, name));
      if (!shard) {
        const head = await headOf(path.join(folder.path, name));
        const identity = identify(head, name);
        const what = inPlaceOfFile(head.toString('latin1')) ?? 'no archive by its content';
        if ('reason' in identity && identity.reason === NOT_A_PICTURE)
          rejected.push({ path: name, reason: `named ${path.extname(name)} but ${what}` });
        continue;
      }
      shards.set(name, shard);
      rejected.push(...shard.rejected.map((one) => ({ ...one, path: `${name}/${one.path}` })));
    } catch (error) {
      rejected.push({ path: name, reason: messageOf(error) });
    }
  }
  const broken = new Set(rejected.map(({ path: name }) => name));
  const entries = folder.names.flatMap((name, index) => {
    const shard = shards.get(name);
    if (shard) return shard.names.map((entry, i) => ({ name: `${name}/${entry}`, from: shard, index: i }));
    return broken.has(name) ? [] : [{ name, from: folder, index }];
  });
  return {
    path: folder.path,
    names: entries.map(({ name }) => name),
    rejected,
    read: (index) => entries[index]!.from.read(entries[index]!.index),
    head: (index) => entries[index]!.from.head(entries[index]!.index),
    size: (index) => entries[index]!.from.size(entries[index]!.index),
    stamp: (index) => entries[index]!.from.stamp(entries[index]!.index),
    close: async () => void (await Promise.all([folder, ...shards.values()].map((container) => container.close()))),
  };
}
