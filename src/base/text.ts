/** Text from anywhere: bytes that may be of several encodings, and names that may hold anything. */

import { UserError } from './errors.ts';

/**
 * Text that can be printed on one line of a terminal: control characters, line separators and marks that turn the
 * direction of writing become escapes such as `\x1b` and `\u202e`; everything else stays as it is.
 */
export const printable = (text: string): string => text.replaceAll(UNPRINTABLE, escaped);

/** C0 and C1 controls, line and paragraph separators, directional marks, and halves of surrogate pairs. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\p{Cs}]/gu;

function escaped(character: string): string {
  const named = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character];
  const hex = character.charCodeAt(0).toString(16);
  return named ?? (hex.length <= 2 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`);
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text as content of HTML or XML, or as the value of an attribute between double quotes. */
export const asMarkup = (text: string): string => text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character]!);

/** A name as a file system or an archive holds it: UTF-8, or, where it is not, with its other bytes as `\xff`. */
export function nameFrom(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`)).join('');
  }
}

/**
 * The text of a file: UTF-8, with or without a byte order mark, or UTF-16 of either byte order. The mark is no part of
 * it.
 * @throws UserError naming the file, if the bytes are none of these.
 */
export function decodeText(bytes: Uint8Array, file: string): string {
  const encoding = encodingOf(bytes);
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(`${file} is no text in UTF-8 or UTF-16: save it as UTF-8`);
  }
}

/** By the byte order mark; without one, zeros in every other byte of the beginning tell UTF-16. */
function encodingOf(bytes: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  const head = bytes.subarray(0, 64);
  const zeros = [0, 1].map((odd) => head.filter((byte, i) => i % 2 === odd && byte === 0).length);
  const most = head.length / 4;
  if (zeros[1]! > most && zeros[0] === 0) return 'utf-16le';
  if (zeros[0]! > most && zeros[1] === 0) return 'utf-16be';
  return 'utf-8';
}
