/** The headers of tar archives: 512 bytes, in the dialects of ustar, GNU and pax. */

import { nameFrom } from '../../../base/text.ts';

export const BLOCK = 512;

/** What extended headers say of the file behind them. */
export interface Extension {
  readonly name?: string;
  readonly size?: number;
  /** Whether the file is stored with its gaps left out. */
  readonly isSparse?: boolean;
}

/** Types of headers that say something of the file behind them: GNU's long names and links, and attributes of pax. */
export const isExtensionType = (type: string): boolean => 'LKxgX'.includes(type);

/** Whether a header is all zeros: two of them end an archive. */
export const isEmpty = (header: Uint8Array): boolean => header.every((byte) => byte === 0);

/**
 * What the contents of an extended header say. Global attributes ('g') hold comments; only those of one file name it.
 */
export function extensionOf(type: string, bytes: Uint8Array): Extension {
  if (type === 'L') return { name: nameFrom(upToZero(bytes)) };
  if (type !== 'x' && type !== 'X') return {};
  const records = paxRecords(bytes);
  const { size } = records;
  const name = records['GNU.sparse.name'] ?? records.path;
  return {
    ...(name !== undefined && { name }),
    // Anything but digits is no size, and is refused where sizes are checked.
    ...(size !== undefined && { size: /^\d+$/.test(size) ? Number(size) : Number.NaN }),
    ...(Object.keys(records).some((key) => key.startsWith('GNU.sparse.')) && { isSparse: true }),
  };
}

/** Why an entry of this type is no picture's bytes, or undefined for a plain file. */
export function typeReason(type: string, header: Uint8Array): string | undefined {
  switch (type) {
    case '0':
    case '\0':
    case '7':
    case '5':
      return undefined;
    case '1':
      return `a hard link to ${linkIn(header)}, which is used`;
    case '2':
      return `a symbolic link to ${linkIn(header)}: archives are read without following links`;
    case 'S':
      return 'a sparse file, stored with its gaps left out: unpack the archive and give the folder';
    case 'M':
      return 'the rest of a file that begins in another volume: put the volumes together';
    default:
      return `an entry of type "${type}" and no file`;
  }
}

const linkIn = (header: Uint8Array): string => nameFrom(upToZero(header.subarray(157, 257)));

/** Pax records: `length key=value\n`, the length in decimal and counting all of it. */
function paxRecords(bytes: Uint8Array): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(nameFrom(bytes.subarray(at, space)));
    const isRecord = space >= 0 && Number.isInteger(length) && length > space - at && at + length <= bytes.length;
    if (!isRecord) break;
    const record = nameFrom(bytes.subarray(space + 1, at + length - 1));
    const equals = record.indexOf('=');
    records[record.slice(0, equals)] = record.slice(equals + 1);
    at += length;
  }
  return records;
}

/** The name that a header states, with the prefix of ustar. */
export function nameIn(header: Uint8Array): string {
  const isUstar = Buffer.from(header.subarray(257, 263)).toString('latin1') === 'ustar\0';
  const name = nameFrom(upToZero(header.subarray(0, 100)));
  const prefix = isUstar ? nameFrom(upToZero(header.subarray(345, 500))) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** The stated size; NaN where the field is no number, negative where it says so. */
export const sizeIn = (header: Uint8Array): number => numberAt(header, 124, 12);

function upToZero(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** Octal digits, or, for what does not fit, a binary number in two's complement marked by the highest bit. */
function numberAt(header: Uint8Array, at: number, length: number): number {
  const field = header.subarray(at, at + length);
  if ((field[0]! & 0x80) !== 0) {
    // Nothing is smaller than nothing: how negative it is does not matter.
    if ((field[0]! & 0x40) !== 0) return -1;
    return field.subarray(1).reduce((sum, byte) => sum * 256 + byte, field[0]! & 0x3f);
  }
  const digits = Buffer.from(upToZero(field)).toString('latin1').trim();
  if (digits === '') return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

/** Whether a header's sum, its own field counted as spaces, is not the one it states. */
export function isDamaged(header: Uint8Array): boolean {
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  return sum !== numberAt(header, 148, 8);
}

/** Whether a file begins with a tar header. */
export const looksLikeTar = (head: Uint8Array): boolean =>
  head.length >= BLOCK && !isEmpty(head.subarray(0, BLOCK)) && !isDamaged(head.subarray(0, BLOCK));
