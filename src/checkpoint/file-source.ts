/** The bytes of a file on the disk, read in pieces. */

import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import { fileError } from '../files/file-errors.ts';
import { readFully } from '../files/full-io.ts';
import { openRegular } from '../files/regular-file.ts';
import { type ByteSource, ownBytes } from './safetensors-bytes.ts';

/**
 * The bytes of a regular file, read range by range: a whole file may exceed what one buffer holds. `using` closes it.
 * @throws UserError, one line naming the file, if it cannot be opened; `read` does if it cannot be read.
 */
export function openByteSource(path: string): ByteSource & Disposable {
  const file = openRegular(path);
  const read = (begin: number, end: number, spare?: number): Uint8Array<ArrayBuffer> => {
    const bytes = ownBytes(end - begin, spare);
    if (readInto(bytes, file, begin, path) < bytes.length)
      throw new UserError(`${path}: the file shrank while it was read; run again`);
    return bytes;
  };
  return { size: fs.fstatSync(file).size, read, [Symbol.dispose]: () => fs.closeSync(file) };
}

/** All bytes from `begin` on, in pieces of bounded size. */
export function* piecesFrom(source: ByteSource, begin: number): Iterable<Uint8Array> {
  for (let at = begin; at < source.size; at += PIECE) yield source.read(at, Math.min(source.size, at + PIECE));
}

const PIECE = 2 ** 22;

function readInto(bytes: Uint8Array, file: number, position: number, path: string): number {
  try {
    return readFully(file, bytes, position);
  } catch (error) {
    throw fileError('read', path, error);
  }
}
