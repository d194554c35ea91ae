/** From an encoded picture to the square of 8-bit sRGB that the networks see. */

import type { Sharp } from 'sharp';
import { messageOf } from '../../base/errors.ts';
import type { RgbImage } from './image.ts';
import { sharp } from './sharp.ts';

/** Larger pictures are refused from their header, before any pixel is decoded. */
export const MAX_PIXELS = 100e6;

/** A rectangle of a picture, in whole pixels. */
export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Chooses what to keep of a picture of that size, its orientation already applied. */
export type Crop = (width: number, height: number) => Rectangle;

export interface SquareOptions {
  /** What to keep; without it the middle square. */
  readonly crop?: Crop | undefined;
  /** What transparent pixels lie on, as a CSS colour. */
  readonly background?: string | undefined;
}

/**
 * Decodes an encoded picture to a square of `imageSize`: EXIF orientation applied, alpha laid on the background (white),
 * embedded profile, CMYK and depth converted to 8-bit sRGB, cropped, resized (Lanczos 3). Of an animation the first frame.
 */
export async function toSquare(
  encoded: Uint8Array,
  imageSize: number,
  { crop, background = '#ffffff' }: SquareOptions = {},
): Promise<RgbImage> {
  let picture = decoder(encoded).autoOrient();
  if (crop) {
    const { width, height } = (await sharp(encoded, { limitInputPixels: MAX_PIXELS, pages: 1 }).metadata()).autoOrient;
    picture = picture.extract(crop(width, height));
  }
  const data = await picture
    .flatten({ background })
    .resize(imageSize, imageSize, { fit: 'cover', position: 'centre', kernel: 'lanczos3' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer();
  return { width: imageSize, height: imageSize, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** What `crop` keeps of a decoded picture, as a square of `imageSize`. */
export async function cropSquare({ data, width, height }: RgbImage, imageSize: number, crop: Crop): Promise<RgbImage> {
  const square = await sharp(data, { raw: { width, height, channels: 3 } })
    .extract(crop(width, height))
    .resize(imageSize, imageSize, { fit: 'cover', kernel: 'lanczos3' })
    .raw()
    .toBuffer();
  return { width: imageSize, height: imageSize, data: new Uint8Array(square) };
}

/** Side of the thumbnail that inspection makes. */
export const THUMBNAIL = 16;

/** What one look at a picture tells. */
export interface Inspection {
  /** `jpeg`, `png`, `webp`, `avif`, `gif` or `tiff`. */
  readonly format: string;
  /** Size in pixels, orientation applied. */
  readonly width: number;
  readonly height: number;
  /** Frames or pages; the first is used. */
  readonly pages: number;
  /** The whole picture squeezed into [16, 16, 3] bytes. */
  readonly thumbnail: Uint8Array;
}

/**
 * Reads the header and decodes every row, so that nothing turns out unreadable later. Returns the reason, one line, where the
 * picture cannot be used.
 */
export async function inspect(encoded: Uint8Array, maxPixels = MAX_PIXELS): Promise<Inspection | string> {
  if (encoded.length === 0) return 'empty: 0 bytes';
  if (!looksLikePicture(encoded)) return 'not a JPEG, PNG, WebP, AVIF, GIF or TIFF file';
  try {
    const { format, pages = 1, autoOrient } = await sharp(encoded, { limitInputPixels: false }).metadata();
    const { width, height } = autoOrient;
    const pixels = width * height;
    if (pixels > maxPixels)
      return `${width}x${height} is ${Math.ceil(pixels / 1e6)} megapixels, more than the limit of ${maxPixels / 1e6}`;
    // A stretch to a thumbnail needs every row; the crop of `toSquare` would not touch, and so not check, the margins.
    const thumbnail = await sharp(encoded, { limitInputPixels: maxPixels, failOn: 'error', pages: 1 })
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .resize(THUMBNAIL, THUMBNAIL, { fit: 'fill' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer();
    return { format: format === 'heif' ? 'avif' : format, width, height, pages, thumbnail: new Uint8Array(thumbnail) };
  } catch (error) {
    return `cannot be read: ${oneLine(error)}`;
  }
}

const decoder = (encoded: Uint8Array): Sharp =>
  sharp(encoded, { limitInputPixels: MAX_PIXELS, failOn: 'error', pages: 1 });

/** Goes by content, not by name: cameras, phones and downloads misname files all the time. */
function looksLikePicture(encoded: Uint8Array): boolean {
  const head = Buffer.from(encoded.subarray(0, 32));
  const hex = head.toString('hex');
  const ascii = head.toString('latin1');
  return (
    hex.startsWith('ffd8ff') || // JPEG
    hex.startsWith('89504e470d0a1a0a') || // PNG
    (ascii.startsWith('RIFF') && ascii.startsWith('WEBP', 8)) ||
    (ascii.startsWith('ftyp', 4) && /avi[fs]/.test(ascii.slice(8))) ||
    /^GIF8[79]a/.test(ascii) ||
    /^(49492a00|4d4d002a|49492b00|4d4d002b)/.test(hex) // TIFF and BigTIFF, either byte order
  );
}

/** Decoders report several lines, some of them the name of their own routine. */
export function oneLine(error: unknown): string {
  return messageOf(error).split('\n')[0]!.trim();
}
