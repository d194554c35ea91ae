/** PNG files with provenance: deterministic bytes, and text chunks. */
import { inflateSync } from 'node:zlib';
import { UserError } from '../../base/errors.ts';
import type { RgbImage } from './image.ts';
import { textOf, withText } from './png-text.ts';
import { sharp } from './sharp.ts';

/**
 * Encodes a picture with its text, sorted by keyword: the same pixels and text give the same bytes.
 * @throws RangeError for a keyword or value that `withText` refuses.
 */
export async function encodePng(image: RgbImage, text: Readonly<Record<string, string>>): Promise<Buffer> {
  const plain = await sharp(image.data, { raw: { width: image.width, height: image.height, channels: 3 } })
    .png({ compressionLevel: 9, adaptiveFiltering: true, palette: false })
    .toBuffer();
  return Buffer.from(withText(plain, text).buffer);
}

/**
 * The text of a PNG's tEXt, zTXt and iTXt chunks, by keyword.
 * @throws UserError when the bytes are no PNG, cut short, or fail their checksum.
 */
export const readPngText = (bytes: Uint8Array): Record<string, string> => textOf(bytes, inflateText);

/** Text is short: the cap keeps a hostile file from unpacking into gigabytes. */
function inflateText(data: Uint8Array): Uint8Array {
  try {
    return inflateSync(data, { maxOutputLength: 1 << 24 });
  } catch {
    throw new UserError('Damaged PNG file: a compressed text chunk does not unpack');
  }
}
