/** The bytes of a file on the disk, read in pieces. */

import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import { fileError, systemCode } from './file-errors.ts';
import { openRegular } from './regular-file.ts';
import { type ByteSource, ownBytes } from './safetensors-bytes.ts';

/**
 * Opens a file for `use`, and closes it afterwards.
 * @throws UserError, one line naming the file, if it cannot be opened or read. What `use` throws passes through.
 */
export function withSource<T>(path: string, use: (source: ByteSource) => T): T {
  let file: number | undefined;
  try {
    file = openRegular(path);
    return use(sourceOf(file, path));
  } catch (error) {
    throw readError(path, error);
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}

/** `withSource` for a `use` that takes its time. @throws as `withSource` does. */
export async function withSourceAsync<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  let file: number | undefined;
  try {
    file = openRegular(path);
    return await use(sourceOf(file, path));
  } catch (error) {
    throw readError(path, error);
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}

/** All bytes from `begin` on, in pieces of bounded size. */
export function* piecesFrom(source: ByteSource, begin: number): Iterable<Uint8Array> {
  for (let at = begin; at < source.size; at += PIECE) yield source.read(at, Math.min(source.size, at + PIECE));
}

const PIECE = 2 ** 22;

const readError = (path: string, error: unknown): unknown =>
  systemCode(error) === undefined ? error : fileError('read', path, error);

/** Reads range by range: a whole file may exceed what one buffer holds. */
function sourceOf(file: number, path: string): ByteSource {
  const read = (begin: number, end: number, spare?: number): Uint8Array<ArrayBuffer> => {
    const bytes = ownBytes(end - begin, spare);
    const most = 2 ** 30;
    for (let at = 0; at < bytes.length; ) {
      const got = fs.readSync(file, bytes, at, Math.min(most, bytes.length - at), begin + at);
      if (got === 0) throw new UserError(`${path}: the file shrank while it was read; run again`);
      at += got;
    }
    return bytes;
  };
  return { size: fs.fstatSync(file).size, read };
}
