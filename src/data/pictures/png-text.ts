/** Text in PNG files (PNG specification, third edition, section 11.3.3), on any platform. */
import { UserError } from '../../base/errors.ts';
import { joinedBytes } from '../../base/ndarray.ts';
import { crc32 } from '../../files/crc32.ts';
import { XMP_KEYWORD } from './made-by-machine.ts';
import { pngChunk, SIGNATURE } from './png-chunk.ts';

/** Unpacks a zlib stream. */
export type Inflate = (data: Uint8Array) => Uint8Array;

/**
 * Text as chunks, sorted by keyword. Keywords are 1 to 79 printable Latin-1 characters without outer or double spaces;
 * values may be any text without NUL. ASCII values go to tEXt, others, and XMP, to iTXt as UTF-8.
 * @throws RangeError for any other keyword or value.
 */
export const textChunks = (text: Readonly<Record<string, string>>): Uint8Array[] =>
  Object.keys(text)
    .sort()
    .map((keyword) => textChunk(keyword, text[keyword]!));

/**
 * Inserts text before the first IDAT of a PNG and leaves every other byte as it was.
 * @throws RangeError as `textChunks` does, UserError if the bytes are no PNG.
 */
export function withText(png: Uint8Array, text: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  const imageData = [...chunksOf(png)].find((chunk) => chunk.type === 'IDAT');
  if (!imageData) throw new UserError('Not a PNG file: it has no image data');
  return joinedBytes([png.subarray(0, imageData.start), ...textChunks(text), png.subarray(imageData.start)]);
}

/**
 * The text of a PNG's tEXt, zTXt and iTXt chunks, by keyword. Without `inflate` compressed texts are left out; the
 * files that this program writes have none.
 *
 * @throws UserError when the bytes are no PNG, cut short, or fail their checksum, or `inflate` fails.
 */
export function textOf(png: Uint8Array, inflate?: Inflate): Record<string, string> {
  const texts = [...chunksOf(png)].flatMap(({ type, data }) =>
    type === 'tEXt' || type === 'zTXt' || type === 'iTXt' ? parseText(type, data, inflate) : [],
  );
  return Object.fromEntries(texts);
}

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
  /** Offset of the chunk's length field in the file. */
  readonly start: number;
}

/** Walks the chunks: length (4 bytes), type (4), data, CRC-32 of type and data (4). */
function* chunksOf(file: Uint8Array): Generator<Chunk> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (SIGNATURE.some((byte, i) => file[i] !== byte))
    throw new UserError('Not a PNG file: its first bytes are not the PNG signature');
  for (let start = 8; start < file.length; ) {
    const end = start + 12 <= file.length ? start + 12 + view.getUint32(start) : Number.POSITIVE_INFINITY;
    if (end > file.length) throw new UserError(`Damaged PNG file: the chunk at byte ${start} is cut short`);
    const body = file.subarray(start + 4, end - 4);
    if (crc32(body) !== view.getUint32(end - 4)) {
      throw new UserError(`Damaged PNG file: the chunk at byte ${start} fails its checksum`);
    }
    yield { type: fromLatin1(body.subarray(0, 4)), data: body.subarray(4), start };
    start = end;
  }
}

function textChunk(keyword: string, value: string): Uint8Array {
  if (!/^(?! )(?!.* {2})[\x20-\x7e\xa1-\xff]{1,79}(?<! )$/.test(keyword)) {
    throw new RangeError(`PNG text: ${JSON.stringify(keyword)} is not a valid keyword`);
  }
  if (value.includes('\0')) throw new RangeError(`PNG text: the value of ${keyword} contains a NUL character`);
  const head = toLatin1(`${keyword}\0`);
  // tEXt is Latin-1 by the book, but common readers take it for UTF-8: only ASCII reads the same everywhere.
  if (keyword !== XMP_KEYWORD && /^[\n\x20-\x7e]*$/.test(value))
    return pngChunk('tEXt', joinedBytes([head, toLatin1(value)]));
  // Not compressed, no compression method, empty language tag, empty translated keyword.
  return pngChunk('iTXt', joinedBytes([head, new Uint8Array(4), new TextEncoder().encode(value)]));
}

function parseText(type: 'tEXt' | 'zTXt' | 'iTXt', data: Uint8Array, inflate?: Inflate): [string, string][] {
  const separator = data.indexOf(0);
  if (separator < 1) throw new UserError(`Damaged PNG file: a ${type} chunk has no keyword`);
  const keyword = fromLatin1(data.subarray(0, separator));
  const rest = data.subarray(separator + 1);
  if (type === 'tEXt') return [[keyword, fromLatin1(rest)]];
  if (type === 'zTXt') return inflate ? [[keyword, fromLatin1(inflate(rest.subarray(1)))]] : [];
  const languageEnd = rest.indexOf(0, 2);
  const translationEnd = rest.indexOf(0, languageEnd + 1);
  if (languageEnd < 0 || translationEnd < 0) throw new UserError('Damaged PNG file: an iTXt chunk is incomplete');
  const value = rest.subarray(translationEnd + 1);
  const isPacked = rest[0] === 1;
  if (isPacked && !inflate) return [];
  return [
    [keyword, new TextDecoder('utf-8', { ignoreBOM: true }).decode(isPacked && inflate ? inflate(value) : value)],
  ];
}

/** One character for each byte. Text is short, but not always as short as an argument list may be. */
function fromLatin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

const toLatin1 = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
