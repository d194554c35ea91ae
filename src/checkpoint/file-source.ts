/** The bytes of a file on the disk, read in pieces. */

import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import { fileError } from './file-errors.ts';
import { openRegular } from './regular-file.ts';
import { type ByteSource, ownBytes } from './safetensors-bytes.ts';

/**
 * The bytes of a regular file, read range by range: a whole file may exceed what one buffer holds. `using` closes it.
 * @throws UserError, one line naming the file, if it cannot be opened; `read` does if it cannot be read.
 */
export function openByteSource(path: string): ByteSource & Disposable {
  const file = openRegular(path);
  const read = (begin: number, end: number, spare?: number): Uint8Array<ArrayBuffer> => {
    const bytes = ownBytes(end - begin, spare);
    for (let at = 0; at < bytes.length; ) {
      const got = readSome(file, bytes.subarray(at, at + MOST_AT_ONCE), begin + at, path);
      if (got === 0) throw new UserError(`${path}: the file shrank while it was read; run again`);
      at += got;
    }
    return bytes;
  };
  return { size: fs.fstatSync(file).size, read, [Symbol.dispose]: () => fs.closeSync(file) };
}

/** All bytes from `begin` on, in pieces of bounded size. */
export function* piecesFrom(source: ByteSource, begin: number): Iterable<Uint8Array> {
  for (let at = begin; at < source.size; at += PIECE) yield source.read(at, Math.min(source.size, at + PIECE));
}

const PIECE = 2 ** 22;
/** Bytes that one call of the system reads. */
const MOST_AT_ONCE = 2 ** 30;

function readSome(file: number, bytes: Uint8Array, position: number, path: string): number {
  try {
    return fs.readSync(file, bytes, 0, bytes.length, position);
  } catch (error) {
    throw fileError('read', path, error);
  }
}
