/** The texts of PNG files, packed ones too. */

import { inflateSync } from 'node:zlib';
import { UserError } from '../../base/errors.ts';
import { textOf } from './png-text.ts';

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
