/** PNG files with provenance: deterministic bytes, and text chunks (PNG specification, third edition, section 11.3.3). */
import { inflateSync } from 'node:zlib';
import sharp from 'sharp';
import { UserError } from '../../base/errors.ts';
import { crc32 } from '../../checkpoint/crc32.ts';
import type { RgbImage } from './image.ts';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/**
 * Encodes a picture with its text, sorted by keyword: the same pixels and text give the same bytes.
 * Keywords are 1 to 79 printable Latin-1 characters without outer or double spaces; values may be any text without NUL. Anything else
 * throws a RangeError. ASCII values go to tEXt, others to iTXt as UTF-8.
 */
export async function encodePng(image: RgbImage, text: Readonly<Record<string, string>>): Promise<Buffer> {
  const plain = await sharp(image.data, { raw: { width: image.width, height: image.height, channels: 3 } })
    .png({ compressionLevel: 9, adaptiveFiltering: true, palette: false })
    .toBuffer();
  return withText(plain, text);
}

/** Inserts text chunks before the first IDAT of a PNG and leaves every other byte as it was. Throws as `encodePng`. */
export function withText(png: Uint8Array, text: Readonly<Record<string, string>>): Buffer {
  const imageData = [...chunksOf(png)].find((chunk) => chunk.type === 'IDAT');
  if (!imageData) throw new UserError('not a PNG file: it has no image data');
  const added = Object.keys(text)
    .sort()
    .map((keyword) => textChunk(keyword, text[keyword]!));
  return Buffer.concat([png.subarray(0, imageData.start), ...added, png.subarray(imageData.start)]);
}

/** The text of a PNG's tEXt, zTXt and iTXt chunks, by keyword. Throws a UserError when the bytes are no PNG, cut short, or fail their checksum. */
export function readPngText(bytes: Uint8Array): Record<string, string> {
  const text: [string, string][] = [];
  for (const { type, data } of chunksOf(bytes)) {
    if (type === 'tEXt' || type === 'zTXt' || type === 'iTXt') text.push(parseText(type, data));
  }
  return Object.fromEntries(text);
}

interface Chunk {
  readonly type: string;
  readonly data: Buffer;
  /** Offset of the chunk's length field in the file. */
  readonly start: number;
}

/** Walks the chunks: length (4 bytes), type (4), data, CRC-32 of type and data (4). */
function* chunksOf(bytes: Uint8Array): Generator<Chunk> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!file.subarray(0, 8).equals(signature))
    throw new UserError('not a PNG file: its first bytes are not the PNG signature');
  for (let start = 8; start < file.length; ) {
    const end = start + 12 <= file.length ? start + 12 + file.readUInt32BE(start) : Number.POSITIVE_INFINITY;
    if (end > file.length) throw new UserError(`damaged PNG file: the chunk at byte ${start} is cut short`);
    const body = file.subarray(start + 4, end - 4);
    if (crc32(body) !== file.readUInt32BE(end - 4)) {
      throw new UserError(`damaged PNG file: the chunk at byte ${start} fails its checksum`);
    }
    yield { type: body.toString('latin1', 0, 4), data: body.subarray(4), start };
    start = end;
  }
}

function textChunk(keyword: string, value: string): Buffer {
  if (!/^(?! )(?!.* {2})[\x20-\x7e\xa1-\xff]{1,79}(?<! )$/.test(keyword)) {
    throw new RangeError(`PNG text: ${JSON.stringify(keyword)} is not a valid keyword`);
  }
  if (value.includes('\0')) throw new RangeError(`PNG text: the value of ${keyword} contains a NUL character`);
  const head = Buffer.from(`${keyword}\0`, 'latin1');
  // tEXt is Latin-1 by the book, but common readers take it for UTF-8: only ASCII reads the same everywhere.
  if (/^[\n\x20-\x7e]*$/.test(value)) return chunk('tEXt', Buffer.concat([head, Buffer.from(value, 'latin1')]));
  // Not compressed, no compression method, empty language tag, empty translated keyword.
  return chunk('iTXt', Buffer.concat([head, Buffer.alloc(4), Buffer.from(value, 'utf8')]));
}

function chunk(type: string, data: Buffer): Buffer {
  const framed = Buffer.alloc(12 + data.length);
  framed.writeUInt32BE(data.length, 0);
  framed.write(type, 4, 'latin1');
  data.copy(framed, 8);
  framed.writeUInt32BE(crc32(framed.subarray(4, 8 + data.length)), 8 + data.length);
  return framed;
}

function parseText(type: 'tEXt' | 'zTXt' | 'iTXt', data: Buffer): [keyword: string, value: string] {
  const separator = data.indexOf(0);
  if (separator < 1) throw new UserError(`damaged PNG file: a ${type} chunk has no keyword`);
  const keyword = data.toString('latin1', 0, separator);
  const rest = data.subarray(separator + 1);
  if (type === 'tEXt') return [keyword, rest.toString('latin1')];
  if (type === 'zTXt') return [keyword, inflateText(rest.subarray(1)).toString('latin1')];
  const languageEnd = rest.indexOf(0, 2);
  const translationEnd = rest.indexOf(0, languageEnd + 1);
  if (languageEnd < 0 || translationEnd < 0) throw new UserError('damaged PNG file: an iTXt chunk is incomplete');
  const value = rest.subarray(translationEnd + 1);
  return [keyword, (rest[0] === 1 ? inflateText(value) : value).toString('utf8')];
}

/** Text is short: the cap keeps a hostile file from unpacking into gigabytes. */
function inflateText(data: Buffer): Buffer {
  try {
    return inflateSync(data, { maxOutputLength: 1 << 24 });
  } catch {
    throw new UserError('damaged PNG file: a compressed text chunk does not unpack');
  }
}
