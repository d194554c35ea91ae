/** Reading and writing to the end: one call of the system may do less than requested, and never more than 2 GiB. */

import fs from 'node:fs';

const MOST = 2 ** 30;

/**
 * Fill `target` with the bytes of an open file from `position` on.
 * @returns how many there were: fewer than `target` holds where the file ends.
 */
export function readFully(file: number, target: Uint8Array, position: number): number {
  let at = 0;
  for (let got = -1; at < target.length && got !== 0; at += got)
    got = fs.readSync(file, target, at, Math.min(MOST, target.length - at), position + at);
  return at;
}

/** Write all of `bytes` to an open file, at `position` or where it stands. */
export function writeFully(file: number, bytes: Uint8Array, position?: number): void {
  for (let at = 0; at < bytes.length; ) {
    const to = position === undefined ? null : position + at;
    at += fs.writeSync(file, bytes, at, Math.min(MOST, bytes.length - at), to);
  }
}
