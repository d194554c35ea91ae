/** Draws a face: the SVG of its attribute record as pixels. */
import type { RgbImage } from '../../pictures/image.ts';
import { sharp } from '../../pictures/sharp.ts';
import type { FaceAttributes } from './attributes.ts';
import { backgrounds } from './palette.ts';

/** Pixels of a face, a pure function of the record: `imageSize` squared, 8-bit sRGB. */
export async function drawFace(face: FaceAttributes, imageSize: number): Promise<RgbImage> {
  // DiceBear is loaded with the first face.
  const { avatarOf } = await import('./avatar.ts');
  const svg = Buffer.from(avatarOf(face, imageSize).toString());
  const data = await sharp(svg)
    .flatten({ background: `#${backgrounds[face.background]}` })
    .toColourspace('srgb')
    .raw()
    .toBuffer();
  return { width: imageSize, height: imageSize, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}
