/** A folder of pictures as an image source: which files it takes, and how each becomes a square. */
import { open, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { messageOf, UserError } from '../errors.ts';
import { mapConcurrently } from './concurrency.ts';
import type { RgbImage } from './image.ts';
import type { ImageSource, LoadOptions } from './source.ts';
import { type Rejected, walkFolder } from './walk.ts';

/** Larger pictures are refused from their header, before any pixel is decoded. */
export const maxPixels = 100e6;
const maxFileBytes = 1 << 30;

export interface FolderCheck {
  /** Paths relative to the folder, `/` between parts, sorted by code unit. */
  readonly accepted: readonly string[];
  readonly rejected: readonly Rejected[];
}

/**
 * Looks at every file below `folder`, reads its header and decodes it in full. One bad file never stops the run: it is listed with its reason.
 * Throws a UserError when the folder is missing, not a directory, unreadable or without a single file.
 */
export async function checkFolder(folder: string, options: LoadOptions = {}): Promise<FolderCheck> {
  const { files, rejected } = await walkFolder(folder);
  if (files.length + rejected.length === 0) {
    throw new UserError(
      `no pictures in ${folder}: the folder is empty, put JPEG, PNG, WebP, AVIF, GIF or TIFF files into it`,
    );
  }
  let done = 0;
  const reasons = await mapConcurrently(files.length, options.signal, async (index) => {
    const reason = await reasonToReject(path.join(folder, files[index]!));
    options.onProgress?.(++done, files.length);
    return reason;
  });
  const bad = files.flatMap((file, i) => (reasons[i] === undefined ? [] : [{ path: file, reason: reasons[i] }]));
  return {
    accepted: files.filter((_, i) => reasons[i] === undefined),
    rejected: [...rejected, ...bad].sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

/** The accepted files of a checked folder as a source; ids are their relative paths. */
export function folderSource(folder: string, accepted: readonly string[]): ImageSource {
  const fileAt = (index: number): string => {
    const file = accepted[index];
    if (file === undefined) throw new RangeError(`${folder} has no picture ${index}: it has ${accepted.length}`);
    return file;
  };
  return {
    name: path.basename(path.resolve(folder)),
    size: accepted.length,
    id: fileAt,
    async read(index, imageSize) {
      const file = path.join(folder, fileAt(index));
      try {
        return await toSquare(await readFile(file), imageSize);
      } catch (error) {
        throw new UserError(`cannot read picture ${file}: ${oneLine(error)}; mend or remove it`);
      }
    },
  };
}

/**
 * Decodes an encoded picture to a square: EXIF orientation applied, alpha laid on white, embedded profile and depth converted to 8-bit sRGB,
 * short side resized to `imageSize` (Lanczos 3), centre cropped. Of an animation the first frame.
 */
export async function toSquare(encoded: Uint8Array, imageSize: number): Promise<RgbImage> {
  const data = await decoder(encoded)
    .autoOrient()
    .flatten({ background: '#ffffff' })
    .resize(imageSize, imageSize, { fit: 'cover', position: 'centre', kernel: 'lanczos3' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer();
  return { width: imageSize, height: imageSize, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

function decoder(encoded: Uint8Array): Sharp {
  return sharp(encoded, { limitInputPixels: maxPixels, failOn: 'error', pages: 1 });
}

/** Why a file cannot be trained on, or undefined when it can. */
async function reasonToReject(file: string): Promise<string | undefined> {
  try {
    const bytes = (await stat(file)).size;
    if (bytes > maxFileBytes) return `${(bytes / 2 ** 30).toFixed(1)} GiB is more than the limit of 1 GiB`;
    if (!looksLikePicture(await firstBytes(file))) return 'not a JPEG, PNG, WebP, AVIF, GIF or TIFF file';
    const encoded = await readFile(file);
    const { width, height } = await sharp(encoded, { limitInputPixels: false }).metadata();
    const pixels = width * height;
    if (pixels > maxPixels) {
      return `${width}x${height} is ${Math.ceil(pixels / 1e6)} megapixels, more than the limit of ${maxPixels / 1e6}`;
    }
    // A stretch to a thumbnail needs every row; the crop of `toSquare` would not touch, and so not check, the margins.
    await decoder(encoded).resize(16, 16, { fit: 'fill' }).raw().toBuffer();
    return undefined;
  } catch (error) {
    return `cannot be read: ${oneLine(error)}`;
  }
}

async function firstBytes(file: string): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(32), 0, 32, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Goes by content, not by name: cameras, phones and downloads misname files all the time. */
function looksLikePicture(head: Buffer): boolean {
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
function oneLine(error: unknown): string {
  return messageOf(error).split('\n')[0]!.trim();
}
