/** Animated WebP. */

import { UserError } from '../../base/errors.ts';
import { packImages, type RgbImage } from './image.ts';
import { sharp } from './sharp.ts';

/** Milliseconds of the first and the last frame of an animation, and of those between. */
export interface Delays {
  readonly ends: number;
  readonly between: number;
}

/** The delays of interpolations: both ends stay long enough to be seen. */
export const INTERPOLATION: Delays = { ends: 800, between: 120 };

/** Sides beyond this do not fit into the format. */
const LONGEST = 16_383;

/**
 * An endless animation of pictures of one size, without loss.
 * @param xmp metadata of the file, as XML.
 * @throws UserError if the pictures are larger than the format holds, RangeError without any.
 */
export async function encodeAnimation(images: readonly RgbImage[], delays: Delays, xmp: string): Promise<Buffer> {
  const [first] = images;
  if (!first) throw new RangeError('an animation of no pictures');
  const { width, height } = first;
  if (Math.max(width, height) > LONGEST)
    throw new UserError(
      `${width}x${height} pixels do not fit into WebP, whose sides hold ${LONGEST}: write a .png sheet`,
    );
  const raw = { width, height: height * images.length, channels: 3, pageHeight: height } as const;
  const delay = images.map((_, i) => (i === 0 || i === images.length - 1 ? delays.ends : delays.between));
  return sharp(packImages(images), { raw }).withXmp(xmp).webp({ lossless: true, loop: 0, delay }).toBuffer();
}
