/** From an encoded picture to the square of 8-bit sRGB that the networks see. */

import type { Sharp } from 'sharp';
import { type Crop, middleSquare } from './crop.ts';
import { oneLine } from './decoder-words.ts';
import { firstFrame } from './gif-frame.ts';
import { identify, type PictureFormat } from './identify.ts';
import type { RgbImage } from './image.ts';
import { avifTrouble, pngColours, srgbTable } from './png-colours.ts';
import { withOrientationInFront } from './png-orientation.ts';
import { sharp } from './sharp.ts';
import { resizedSquare } from './square.ts';
import { DRAWING, drawnSvg, LOOKING, type SvgJob, svgSize } from './svg.ts';
import { hasOtherBands, tiffTrouble } from './tiff.ts';

/** Larger pictures are refused from their header, before any pixel is decoded, by default. */
export const MAX_PIXELS = 100e6;

/**
 * And so are longer ones: a square of a panorama of a million pixels shows nothing, and resizing does not get along
 * with it.
 */
const MAX_SIDE = 100_000;

/** Changes when the same file becomes other pixels than before: what was computed from those is not used any more. */
export const DECODING = '3';

export interface SquareOptions {
  /** What to keep; without it the middle square. */
  readonly crop?: Crop | undefined;
  /** What transparent pixels lie on, as a CSS colour. */
  readonly background?: string | undefined;
  /** Pictures of more pixels are refused. */
  readonly maxPixels?: number | undefined;
}

/**
 * Decodes an encoded picture to a square of `imageSize`: EXIF orientation applied, alpha laid on the background
 * (white), embedded profile, CMYK and depth converted to 8-bit sRGB, cropped, resized (Lanczos 3). Of an animation the
 * first frame.
 */
export async function toSquare(
  encoded: Uint8Array,
  imageSize: number,
  { crop = middleSquare, background = '#ffffff', maxPixels = MAX_PIXELS }: SquareOptions = {},
): Promise<RgbImage> {
  const format = formatOf(encoded);
  const density = format === 'svg' ? densityFor(await svgSize(encoded), imageSize, maxPixels) : undefined;
  const bytes = await decodable(encoded, format, { maxPixels, density, seconds: DRAWING });
  const options = { limitInputPixels: maxPixels, failOn: 'error', pages: 1 } as const;
  const size = (await sharp(bytes, options).metadata()).autoOrient;
  const picture = sharp(bytes, options).autoOrient();
  const box = crop(size.width, size.height);
  const data = await resizedSquare(picture.flatten({ background }), size, box, imageSize, background);
  return { width: imageSize, height: imageSize, data };
}

/** What `crop` keeps of a decoded picture, as a square of `imageSize`. */
export async function cropSquare({ data, width, height }: RgbImage, imageSize: number, crop: Crop): Promise<RgbImage> {
  const picture = sharp(data, { raw: { width, height, channels: 3 } });
  const square = await resizedSquare(picture, { width, height }, crop(width, height), imageSize, '#ffffff');
  return { width: imageSize, height: imageSize, data: square };
}

/** Side of the thumbnail that inspection makes. */
export const THUMBNAIL = 16;

/** What the header of a picture tells. */
export interface Measured {
  /** `jpeg`, `png`, `webp`, `avif`, `gif`, `tiff` or `svg`. */
  readonly format: string;
  /** Size in pixels, orientation applied. */
  readonly width: number;
  readonly height: number;
  /** Frames or pages; the first is used. */
  readonly pages: number;
}

/** What one look at a picture tells. */
export interface Inspection extends Measured {
  /** The whole picture squeezed into [16, 16, 3] bytes. */
  readonly thumbnail: Uint8Array;
}

/** A picture whose header has been read. */
export interface Header extends Measured {
  /** Bytes that all its pixels take when they are decoded. */
  readonly decodedBytes: number;
  /**
   * Decodes every row, so that nothing turns out unreadable later.
   * @returns [16, 16, 3] bytes, or the reason, one line, why the picture cannot be used.
   */
  thumbnail(): Promise<Uint8Array | string>;
}

/** Reads the header. Returns the reason, one line, where the picture cannot be used. */
export async function readHeader(encoded: Uint8Array, maxPixels = MAX_PIXELS): Promise<Header | string> {
  const identity = identify(encoded.subarray(0, 4096));
  if ('reason' in identity) return identity.reason;
  const trouble = troubleOf(encoded, identity.format);
  if (trouble !== undefined) return trouble;
  try {
    const gif = identity.format === 'gif' ? firstFrame(encoded) : undefined;
    const bytes = identity.format === 'png' ? withOrientationInFront(encoded) : (gif?.file ?? encoded);
    const {
      format,
      pages = 1,
      depth,
      autoOrient,
    } = identity.format === 'svg'
      ? ({ format: 'svg', depth: 'uchar', autoOrient: await svgSize(encoded) } as const)
      : await sharp(bytes, { limitInputPixels: false }).metadata();
    const { width, height } = gif?.canvas ?? autoOrient;
    const pixels = width * height;
    if (Math.max(width, height) > MAX_SIDE)
      return `${width}x${height} is longer than the limit of ${MAX_SIDE} pixels a side: cut it into pictures`;
    if (pixels > maxPixels)
      return `${width}x${height} is ${Math.ceil(pixels / 1e6)} megapixels, more than the limit of ${maxPixels / 1e6}`;
    return {
      format: format === 'heif' ? 'avif' : format,
      width,
      height,
      pages: gif?.frames ?? pages,
      decodedBytes: pixels * 4 * (depth === 'uchar' ? 1 : 2),
      thumbnail: () => squeezed(encoded, identity.format, maxPixels),
    };
  } catch (error) {
    return `cannot be read: ${oneLine(error)}`;
  }
}

/** Why a picture would not become its colours, although the decoder reads it. */
function troubleOf(encoded: Uint8Array, format: PictureFormat): string | undefined {
  if (format === 'tiff') return tiffTrouble(encoded);
  if (format === 'png') return pngColours(encoded).reason;
  return format === 'avif' ? avifTrouble(encoded) : undefined;
}

/** The pixels that the first bytes of a file announce, or undefined where they do not reach that far. */
export async function announcedPixels(head: Uint8Array): Promise<number | undefined> {
  const size = await sharp(head, { limitInputPixels: false, pages: 1 })
    .metadata()
    .catch(() => undefined);
  return size && size.width * size.height;
}

/**
 * Reads the header and decodes every row. Returns the reason, one line, where the picture cannot be used.
 */
export async function inspect(encoded: Uint8Array, maxPixels = MAX_PIXELS): Promise<Inspection | string> {
  const header = await readHeader(encoded, maxPixels);
  if (typeof header === 'string') return header;
  const thumbnail = await header.thumbnail();
  if (typeof thumbnail === 'string') return thumbnail;
  const { format, width, height, pages } = header;
  return { format, width, height, pages, thumbnail };
}

async function squeezed(encoded: Uint8Array, format: PictureFormat, maxPixels: number): Promise<Uint8Array | string> {
  try {
    const bytes = await decodable(encoded, format, { maxPixels, density: undefined, seconds: LOOKING });
    // A stretch to a thumbnail needs every row; the crop of `toSquare` would not touch, and so not check, the margins.
    const thumbnail = await sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error', pages: 1 })
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .resize(THUMBNAIL, THUMBNAIL, { fit: 'fill' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer();
    return new Uint8Array(thumbnail);
  } catch (error) {
    return `cannot be read: ${oneLine(error)}`;
  }
}

function formatOf(encoded: Uint8Array): PictureFormat {
  const identity = identify(encoded.subarray(0, 4096));
  if ('reason' in identity) throw new Error(identity.reason);
  return identity.format;
}

/** How a file is decoded. */
type Decoding = Omit<Required<SvgJob>, 'svg'>;

/**
 * The file as the decoder reads it rightly: its orientation where it is looked for, its first frame on its canvas, its
 * drawing drawn.
 */
async function decodable(encoded: Uint8Array, format: PictureFormat, how: Decoding): Promise<Uint8Array> {
  const { maxPixels } = how;
  if (format === 'svg') return drawnSvg(encoded, how);
  if (format === 'png') return withGamma(withOrientationInFront(encoded), maxPixels);
  if (format === 'tiff' && hasOtherBands(encoded)) return coloursAlone(encoded, maxPixels);
  const first = format === 'gif' ? firstFrame(encoded) : undefined;
  if (!first?.small) return first?.file ?? encoded;
  const { canvas, small: frame, file } = first;
  const drawn: Sharp = sharp(file, { limitInputPixels: maxPixels, failOn: 'error', pages: 1 }).ensureAlpha();
  return drawn
    .extract(frame)
    .extend({
      left: frame.left,
      top: frame.top,
      right: canvas.width - frame.left - frame.width,
      bottom: canvas.height - frame.top - frame.height,
      background: { r: 0, g: 0, b: 0, alpha: 0 },
    })
    .png({ compressionLevel: 1 })
    .toBuffer();
}

/** A PNG whose samples are those of sRGB; one that is so already is returned as it is. */
async function withGamma(encoded: Uint8Array, maxPixels: number): Promise<Uint8Array> {
  const { gamma } = pngColours(encoded);
  if (gamma === undefined) return encoded;
  const { data, width, height, channels } = await samplesOf(encoded, maxPixels);
  const table = srgbTable(gamma);
  // Transparency is no light.
  const colours = channels < 3 ? 1 : 3;
  for (let pixel = 0; pixel < width * height; pixel++)
    for (let c = 0; c < colours; c++) data[channels * pixel + c] = table[data[channels * pixel + c]!]!;
  return sharp(data, { raw: { width, height, channels } }).png({ compressionLevel: 1 }).toBuffer();
}

/** The 8-bit samples of a picture that stands upright, [height, width, channels]. */
async function samplesOf(encoded: Uint8Array, maxPixels: number) {
  const { data, info } = await sharp(encoded, { limitInputPixels: maxPixels, failOn: 'error', pages: 1 })
    .autoOrient()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  return { data, width, height, channels };
}

/** A picture upright and without the bands behind its colours, as a PNG. */
async function coloursAlone(encoded: Uint8Array, maxPixels: number): Promise<Uint8Array> {
  const { data, width, height, channels } = await samplesOf(encoded, maxPixels);
  const colours = new Uint8Array(3 * width * height);
  for (let pixel = 0; pixel < width * height; pixel++)
    for (let c = 0; c < 3; c++) colours[3 * pixel + c] = data[channels * pixel + c]!;
  return sharp(colours, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toBuffer();
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Dots per inch at which a drawing that is smaller than its square is drawn large enough; undefined where it is not
 * smaller.
 */
function densityFor({ width, height }: Size, imageSize: number, maxPixels: number): number | undefined {
  const wanted = imageSize / Math.min(width, height);
  const scale = Math.min(wanted, Math.sqrt(maxPixels / (width * height)), 1000);
  return scale > 1 ? SVG_DENSITY * scale : undefined;
}

/** Dots per inch at which one unit of an SVG is one pixel. */
const SVG_DENSITY = 72;
