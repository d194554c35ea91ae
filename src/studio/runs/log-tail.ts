/** What is added to a training log while a page watches it. */

import fs from 'node:fs';
import { entryOf } from '../../training/reports/curves.ts';
import type { LogEntry } from '../protocol.ts';

/** Bytes that are read at a time, and entries that are given: a curve shows no more. */
const [MOST_BYTES, MOST_ENTRIES] = [2 ** 20, 200];

/** The end of one log. */
export class LogTail {
  readonly #file: string;
  #at: number;

  /** Begins at the end of a log that may not be there yet. */
  constructor(file: string) {
    this.#file = file;
    this.#at = sizeOf(file);
  }

  /** The entries since the last call, evenly thinned. A log that was cut is read from its end on. */
  news(): readonly LogEntry[] {
    const size = sizeOf(this.#file);
    if (size < this.#at) this.#at = size;
    if (size === this.#at) return [];
    if (size - this.#at > MOST_BYTES) this.#at = size - MOST_BYTES;
    const bytes = Buffer.alloc(size - this.#at);
    const descriptor = fs.openSync(this.#file, 'r');
    try {
      fs.readSync(descriptor, bytes, 0, bytes.length, this.#at);
    } finally {
      fs.closeSync(descriptor);
    }
    // The last line may be half-written: it comes with the next call.
    const whole = bytes.lastIndexOf(0x0a) + 1;
    this.#at += whole;
    const entries = bytes.subarray(0, whole).toString('utf8').split('\n').flatMap(entryOf);
    const every = Math.ceil(entries.length / MOST_ENTRIES);
    return entries.filter((_, i) => every <= 1 || (entries.length - 1 - i) % every === 0);
  }
}

const sizeOf = (file: string): number => {
  const stats = fs.lstatSync(file, { throwIfNoEntry: false });
  return stats?.isFile() ? stats.size : 0;
};
