/** Pictures that are named one by one: each must be usable. */

import { UserError } from '../../base/errors.ts';
import { readRegular } from '../../checkpoint/regular-file.ts';
import { inspect, oneLine, type SquareOptions, toSquare } from '../pictures/decode.ts';
import { identify, NOT_A_PICTURE } from '../pictures/identify.ts';
import type { RgbImage } from '../pictures/image.ts';
import { maxEntryBytes } from './containers/container.ts';

/**
 * Picture files as squares of `size` pixels a side.
 * @throws UserError naming the first file that cannot be used, and why.
 */
export async function readPictures(
  files: readonly string[],
  size: number,
  options: SquareOptions = {},
): Promise<RgbImage[]> {
  const images: RgbImage[] = [];
  for (const file of files) images.push(await readPicture(file, size, options));
  return images;
}

async function readPicture(file: string, size: number, options: SquareOptions): Promise<RgbImage> {
  const bytes = readRegular(file, maxEntryBytes);
  const identity = identify(bytes.subarray(0, 4096), file);
  const trouble = 'reason' in identity ? identity.reason : await inspect(bytes, options.maxPixels);
  if (typeof trouble === 'string')
    throw new UserError(
      trouble === NOT_A_PICTURE
        ? `${file} is not a picture: give JPEG, PNG, WebP, AVIF, GIF, TIFF or SVG files, or one folder`
        : `cannot read picture ${file}: ${trouble}`,
    );
  try {
    return await toSquare(bytes, size, options);
  } catch (error) {
    throw new UserError(`cannot read picture ${file}: ${oneLine(error)}`);
  }
}
