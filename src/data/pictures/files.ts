/** Pictures in files: read as the networks see them, and written as PNG. */

import fs from 'node:fs';
import path from 'node:path';
import { messageOf, UserError } from '../../base/errors.ts';
import { makeFolder, writeFileAtomic } from '../../checkpoint/atomic.ts';
import { fileError } from '../../checkpoint/file-errors.ts';
import { inspect, MAX_PIXELS, type SquareOptions, toSquare } from './decode.ts';
import type { RgbImage } from './image.ts';
import { encodePng } from './png.ts';

/**
 * Read a picture file, or the bytes of one, as a square of `size` pixels: upright, 8-bit sRGB, the middle square by default.
 * @throws UserError if it cannot be read or is no picture.
 */
export async function readImage(
  file: string | Uint8Array,
  size: number,
  options: SquareOptions = {},
): Promise<RgbImage> {
  if (!Number.isSafeInteger(size) || size < 1)
    throw new UserError(`the size of a picture is ${size}: give a whole number of pixels`);
  const name = typeof file === 'string' ? file : 'the picture';
  const bytes = typeof file === 'string' ? bytesOf(file) : file;
  const inspected = await inspect(bytes, MAX_PIXELS);
  if (typeof inspected === 'string') throw new UserError(`cannot read ${name}: ${inspected}`);
  try {
    return await toSquare(bytes, size, options);
  } catch (error) {
    throw new UserError(`cannot read ${name}: ${messageOf(error)}`);
  }
}

/**
 * Write a picture as PNG, or the bytes of a PNG as they are. Folders are made; a file is there whole or not at all.
 * @throws UserError if the path cannot be written.
 */
export async function save(file: string, picture: RgbImage | Uint8Array): Promise<void> {
  makeFolder(path.dirname(file));
  writeFileAtomic(file, picture instanceof Uint8Array ? picture : await encodePng(picture, {}));
}

function bytesOf(file: string): Uint8Array {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    throw fileError('read', file, error);
  }
}
