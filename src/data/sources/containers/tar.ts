/**
 * A tar archive, WebDataset's shards included, read in place: its headers are walked once, then each file is read at its
 * offset. Our own reader, because the libraries stream from front to back, and pictures are wanted in any order.
 */

import { type FileHandle, open } from 'node:fs/promises';
import { messageOf, UserError } from '../../../base/errors.ts';
import {
  byName,
  type Container,
  fileStamp,
  isBesidePictures,
  maxEntryBytes,
  type Rejected,
  tooLarge,
} from './container.ts';

const BLOCK = 512;
/** Longer names and attributes are no names. */
const MAX_EXTENSION = 1 << 20;

interface Member {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/**
 * Open an uncompressed tar archive (ustar, GNU or pax). Of WebDataset's samples (`key.jpg`, `key.txt`, `key.json`, …) only
 * the pictures are entries.
 * @throws UserError if it is damaged or cut off.
 */
export async function openTar(file: string): Promise<Container> {
  const handle = await open(file, 'r').catch((error: unknown) => Promise.reject(damaged(file, messageOf(error))));
  try {
    const stamp = fileStamp(file);
    const { members, rejected } = await membersOf(handle, file);
    return {
      path: file,
      names: members.map(({ name }) => name),
      rejected,
      async read(index) {
        const { offset, size } = members[index]!;
        return bytesAt(handle, offset, size, () => new UserError('cut off: the archive ends inside it'));
      },
      stamp: () => stamp,
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

const damaged = (file: string, what: string): UserError =>
  new UserError(`cannot read the tar archive ${file}: ${what}`);

async function membersOf(handle: FileHandle, file: string): Promise<{ members: Member[]; rejected: Rejected[] }> {
  const { size: end } = await handle.stat();
  const members: Member[] = [];
  const rejected: Rejected[] = [];
  const cutOff = () => damaged(file, 'it is cut off; copy it again');
  let extension: Extension = {};
  for (let at = 0; at < end; ) {
    const header = await bytesAt(handle, at, BLOCK, cutOff);
    if (header.every((byte) => byte === 0)) break;
    if (!checksumFits(header)) throw damaged(file, `the header at byte ${at} is damaged`);
    const type = String.fromCharCode(header[156]!);
    const offset = at + BLOCK;
    const isExtension = type === 'L' || type === 'x' || type === 'g';
    const size = (isExtension ? undefined : extension.size) ?? numberAt(header, 124, 12);
    if (!Number.isSafeInteger(size) || offset + size > end) throw cutOff();
    at = offset + Math.ceil(size / BLOCK) * BLOCK;
    if (isExtension) {
      if (size > MAX_EXTENSION) throw damaged(file, `a name of ${size} bytes at byte ${offset}`);
      // Global attributes ('g') hold comments; only those of one file name it.
      if (type !== 'g') extension = { ...extension, ...extensionOf(type, await bytesAt(handle, offset, size, cutOff)) };
      continue;
    }
    const name = extension.name ?? nameIn(header);
    extension = {};
    if ((type !== '0' && type !== '\0') || isBesidePictures(name)) continue;
    if (size > maxEntryBytes) rejected.push({ path: name, reason: tooLarge(size) });
    else members.push({ name, offset, size });
  }
  return { members: byName(members), rejected };
}

async function bytesAt(handle: FileHandle, at: number, size: number, cutOff: () => UserError): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let read = 0;
  while (read < size) {
    const { bytesRead } = await handle.read(bytes, read, size - read, at + read);
    if (bytesRead === 0) throw cutOff();
    read += bytesRead;
  }
  return bytes;
}

/** What an extended header says of the file behind it. */
interface Extension {
  readonly name?: string;
  readonly size?: number;
}

function extensionOf(type: 'L' | 'x' | string, bytes: Uint8Array): Extension {
  if (type === 'L') return { name: textOf(bytes) };
  const { path, size } = paxRecords(bytes);
  return { ...(path !== undefined && { name: path }), ...(size !== undefined && { size: Number(size) }) };
}

/** Pax records: `length key=value\n`, the length in decimal and counting all of it. */
function paxRecords(bytes: Uint8Array): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(new TextDecoder().decode(bytes.subarray(at, space)));
    if (space < 0 || !Number.isInteger(length) || length <= space - at) break;
    const record = new TextDecoder().decode(bytes.subarray(space + 1, at + length - 1));
    const equals = record.indexOf('=');
    records[record.slice(0, equals)] = record.slice(equals + 1);
    at += length;
  }
  return records;
}

function nameIn(header: Uint8Array): string {
  const isUstar = textOf(header.subarray(257, 262)) === 'ustar';
  const prefix = isUstar ? textOf(header.subarray(345, 500)) : '';
  const name = textOf(header.subarray(0, 100));
  return prefix === '' ? name : `${prefix}/${name}`;
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Octal digits, or, for what does not fit, a binary number marked by the highest bit. */
function numberAt(header: Uint8Array, at: number, length: number): number {
  const field = header.subarray(at, at + length);
  if ((field[0]! & 0x80) !== 0) return field.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
  const digits = textOf(field).trim();
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

/** The sum of the header's bytes, its own field counted as spaces. */
function checksumFits(header: Uint8Array): boolean {
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  return sum === numberAt(header, 148, 8);
}

/** Whether a file begins with a tar header. */
export const looksLikeTar = (head: Uint8Array): boolean =>
  head.length >= BLOCK && head.some((byte) => byte !== 0) && checksumFits(head.subarray(0, BLOCK));
