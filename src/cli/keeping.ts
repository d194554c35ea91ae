/** Files that a command writes where its user says, and never at the price of another file that is there. */

import fs from 'node:fs';
import path from 'node:path';
import { makeFolder, writeFileAtomic } from '../files/atomic.ts';
import { fileError } from '../files/file-errors.ts';
import { note } from './output.ts';

/**
 * Write to a file. Another one that is there moves to the first free number, `sheet.png` to `sheet-1.png`, and its user
 * reads so.
 * @param onMoved called with the new name of a file that made room.
 * @throws UserError where the disk refuses.
 */
export function writeKeeping(
  file: string,
  data: string | Uint8Array,
  onMoved: (moved: string) => void = (moved) => note(`The file that was there is now ${moved}`),
): void {
  makeFolder(path.dirname(file));
  makeRoom(file, data, onMoved);
  writeFileAtomic(file, data);
}

/** Move what is at a place to the first free number, unless it is what is to be written. */
export function makeRoom(file: string, data: string | Uint8Array | undefined, onMoved: (moved: string) => void): void {
  if (!fs.existsSync(file) || !fs.statSync(file).isFile() || (data !== undefined && holds(file, data))) return;
  let n = 1;
  while (fs.existsSync(numbered(file, n))) n++;
  try {
    fs.renameSync(file, numbered(file, n));
  } catch (error) {
    throw fileError('move', file, error);
  }
  onMoved(numbered(file, n));
}

/**
 * Write to a file, or, where another one is, beside it under the first free number; `from` begins with a number
 * already.
 * @returns where it is now.
 */
export function writeBeside(file: string, data: Uint8Array, from?: number): string {
  let name = from === undefined ? file : numbered(file, from);
  for (let n = from === undefined ? 2 : from + 1; fs.existsSync(name); n++) {
    if (holds(name, data)) return name;
    name = numbered(file, n);
  }
  writeFileAtomic(name, data);
  return name;
}

/** `a/b.png` as `a/b-2.png`. */
function numbered(file: string, n: number): string {
  const { dir, name, ext } = path.parse(file);
  return path.join(dir, `${name}-${n}${ext}`);
}

/** Whether a file holds these very bytes. */
function holds(file: string, data: string | Uint8Array): boolean {
  const bytes = Buffer.from(data);
  try {
    const { size } = fs.statSync(file);
    return size === bytes.length && fs.readFileSync(file).equals(bytes);
  } catch (error) {
    throw fileError('read', file, error);
  }
}
