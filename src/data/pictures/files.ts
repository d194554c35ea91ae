/** Pictures in files: read as the networks see them, and written as PNG. */

import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import { makeFolder, writeFileAtomic } from '../../files/atomic.ts';
import { readRegular } from '../../files/regular-file.ts';
import { inspect, type SquareOptions, toSquare } from './decode.ts';
import { oneLine } from './decoder-words.ts';
import { identify, NOT_A_PICTURE, READABLE } from './identify.ts';
import type { RgbImage } from './image.ts';
import { encodePng } from './png.ts';
import { cannotRead } from './reasons.ts';

/** No encoded picture is larger. */
const MOST_BYTES = 2 ** 30;

/**
 * Read a picture file, or the bytes of one, as a square of `size` pixels: upright, 8-bit sRGB, the middle square by
 * default.
 * @throws UserError if it cannot be read or is no picture.
 */
export async function readImage(
  file: string | Uint8Array,
  size: number,
  options: SquareOptions = {},
): Promise<RgbImage> {
  if (!Number.isSafeInteger(size) || size < 1)
    throw new UserError(`The size of a picture is ${size}: give a whole number of pixels`);
  const name = typeof file === 'string' ? file : 'the picture';
  const bytes = typeof file === 'string' ? readRegular(file, MOST_BYTES) : file;
  const identity = identify(bytes.subarray(0, 4096), typeof file === 'string' ? file : '');
  const inspected = 'reason' in identity ? identity.reason : await inspect(bytes, options.maxPixels);
  if (inspected === NOT_A_PICTURE) throw new UserError(`Cannot read ${name}: it is no ${READABLE} file`);
  if (typeof inspected === 'string') throw new UserError(cannotRead(name, inspected));
  try {
    return await toSquare(bytes, size, options);
  } catch (error) {
    throw new UserError(cannotRead(name, oneLine(error)));
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
