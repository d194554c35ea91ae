/**
 * The two output streams. Either may break while a command works: its reader ends, its terminal closes, its disk is
 * full.
 */

import fs from 'node:fs';
import type { Writable } from 'node:stream';
import { isatty } from 'node:tty';

const broken = new Set<Writable>();
const listeners = new Set<() => void>();

function markBroken(stream: Writable): void {
  if (broken.has(stream)) return;
  broken.add(stream);
  for (const listener of listeners) listener();
}

/**
 * From now on a stream that breaks does not end the process: what is written to it is dropped. Called once, first of
 * all.
 */
export function watchStreams(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => markBroken(stream));
  const terminals = [0, 1, 2].filter(isatty);
  process.on('exit', () => closeLost(terminals));
}

/**
 * Close those of some terminals that are gone: Node.js puts a terminal back into its first state when it ends, and
 * aborts with a core dump where that fails.
 */
function closeLost(terminals: readonly number[]): void {
  for (const descriptor of terminals) {
    if (isatty(descriptor)) continue;
    try {
      fs.closeSync(descriptor);
    } catch {
      // It was closed before.
    }
  }
}

/** Call a function as soon as a stream breaks. */
export function onBrokenStream(listener: () => void): void {
  listeners.add(listener);
}

let isSilent = false;
let suppressed = '';

/** From now on nothing is written: another process reports for this one. */
export function silence(): void {
  isSilent = true;
}

/** The last line that was not written. */
export const lastSuppressed = (): string => suppressed.trim();

/** Runs a function whose output is written all the same. */
export function aloud(speak: () => void): void {
  const before = isSilent;
  isSilent = false;
  speak();
  isSilent = before;
}

/** Write to a stream, if it still has a reader. */
export function writeTo(stream: Writable, text: string): void {
  if (isSilent) {
    suppressed = text;
    return;
  }
  if (broken.has(stream)) return;
  try {
    stream.write(text);
  } catch {
    markBroken(stream);
  }
}
