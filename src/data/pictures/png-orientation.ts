/**
 * The orientation of PNG files where the decoder does not look for it: in EXIF that stands after the pixels (allowed
 * since PNG's third edition), or in the text that ImageMagick, and cameras' tools before it, keep EXIF in.
 */

import { inflateSync } from 'node:zlib';
import { pngChunk } from './png-chunk.ts';
import { chunksOf } from './png-chunks.ts';

/** Keywords of ImageMagick's raw profiles that hold EXIF. */
const RAW_PROFILES = ['Raw profile type exif', 'Raw profile type APP1'];
/** EXIF is shorter; what unpacks to more is none. */
const MOST_PROFILE = 1 << 20;

/**
 * A PNG file whose orientation stands where the decoder reads it: the file itself where that is so already, else with
 * an eXIf chunk before its pixels.
 */
export function withOrientationInFront(png: Uint8Array): Uint8Array {
  const file = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  let pixels: number | undefined;
  let orientation: number | undefined;
  for (const { type, start, data } of chunksOf(file)) {
    if (type === 'IDAT') pixels ??= start;
    else if (type === 'eXIf') {
      if (pixels === undefined) return png;
      orientation = exifOrientation(data) ?? orientation;
    } else if (type === 'tEXt' || type === 'zTXt' || type === 'iTXt')
      orientation ??= exifOrientation(rawProfile(type, data));
  }
  if (pixels === undefined || orientation === undefined || orientation === 1) return png;
  return Buffer.concat([file.subarray(0, pixels), exifChunk(orientation), file.subarray(pixels)]);
}

/** The bytes of a raw profile: a name, a length and hex digits, on lines. */
function rawProfile(type: string, data: Buffer): Buffer {
  const nothing = Buffer.alloc(0);
  const keyword = RAW_PROFILES.find((name) => data.subarray(0, name.length + 1).equals(Buffer.from(`${name}\0`)));
  if (keyword === undefined) return nothing;
  const rest = data.subarray(keyword.length + 1);
  const text = type === 'tEXt' ? rest : type === 'zTXt' ? unpacked(rest.subarray(1)) : internationalText(rest);
  const digits = /^\s*\w+\s+\d+\s+([0-9a-f\s]*)$/i.exec(
    text
      .subarray(0, 2 * MOST_PROFILE)
      .toString('latin1')
      .replaceAll('\0', ''),
  )?.[1];
  return Buffer.from((digits ?? '').replaceAll(/\s/g, ''), 'hex');
}

/** Of an iTXt chunk behind its keyword: flags, language, translated keyword, text. */
function internationalText(rest: Buffer): Buffer {
  const translated = rest.indexOf(0, 2);
  const text = rest.subarray(rest.indexOf(0, translated + 1) + 1);
  return translated < 0 ? Buffer.alloc(0) : rest[0] === 1 ? unpacked(text) : text;
}

function unpacked(data: Buffer): Buffer {
  try {
    return inflateSync(data, { maxOutputLength: 2 * MOST_PROFILE });
  } catch {
    return Buffer.alloc(0);
  }
}

const ORIENTATION = 0x112;

/**
 * Tag 0x112 of the first directory of EXIF, with or without the marker of JPEG before it; undefined where there is
 * none.
 */
function exifOrientation(exif: Buffer): number | undefined {
  const tiff = exif.subarray(0, 6).toString('latin1') === 'Exif\0\0' ? exif.subarray(6) : exif;
  if (tiff.length < 14) return undefined;
  const isLittle = tiff.toString('latin1', 0, 4) === 'II*\0';
  if (!isLittle && tiff.toString('latin1', 0, 4) !== 'MM\0*') return undefined;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const at = view.getUint32(4, isLittle);
  if (at + 2 > tiff.length) return undefined;
  const count = view.getUint16(at, isLittle);
  for (let entry = at + 2; entry < at + 2 + 12 * count && entry + 12 <= tiff.length; entry += 12) {
    if (view.getUint16(entry, isLittle) !== ORIENTATION) continue;
    const value = view.getUint16(entry + 8, isLittle);
    return value >= 1 && value <= 8 ? value : undefined;
  }
  return undefined;
}

/** An eXIf chunk of one tag. */
function exifChunk(orientation: number): Uint8Array {
  const exif = Buffer.alloc(26);
  exif.write('II*\0', 0, 'latin1');
  exif.writeUInt32LE(8, 4);
  exif.writeUInt16LE(1, 8);
  exif.writeUInt16LE(ORIENTATION, 10);
  exif.writeUInt16LE(3, 12);
  exif.writeUInt32LE(1, 14);
  exif.writeUInt16LE(orientation, 18);
  return pngChunk('eXIf', exif);
}
