/**
 * A process that dies at a rename or fsync, played within one: from the moment of death on, nothing reaches the disk
 * any more, whatever `finally` blocks try.
 */

import fs from 'node:fs';

/** Thrown by every call that would change the disk after death. */
export class Dead extends Error {}

/** The moments: what is written becomes a file, or lasts. */
const MOMENTS = ['renameSync', 'linkSync', 'fsyncSync'] as const;
const OTHERS = [
  ...['writeSync', 'writeFileSync', 'appendFileSync', 'openSync', 'mkdirSync', 'rmSync', 'unlinkSync', 'rmdirSync'],
  ...['truncateSync', 'ftruncateSync', 'copyFileSync', 'utimesSync'],
] as const;

export interface Life {
  /** Moments so far. */
  readonly moments: number;
  readonly isOver: boolean;
  /** Be able to write again. */
  end(): void;
}

/** Die at moment `at`, counted from 1: before what it does, or right after it. */
export function livingUntil(at: number, when: 'before' | 'after'): Life {
  const before = new Map<string, unknown>();
  for (const name of [...MOMENTS, ...OTHERS]) before.set(name, Reflect.get(fs, name));
  let moments = 0;
  let isOver = false;
  const isReading = (name: string, flags: unknown) => name === 'openSync' && (flags === undefined || flags === 'r');
  for (const [name, original] of before) {
    if (typeof original !== 'function') continue;
    Reflect.set(fs, name, (...args: unknown[]) => {
      const isMoment = (MOMENTS as readonly string[]).includes(name);
      const isLast = isMoment && !isOver && ++moments === at;
      if (isLast && when === 'before') isOver = true;
      if (isOver && !isReading(name, args[1])) throw new Dead(`${name} after death`);
      const result: unknown = Reflect.apply(original, fs, args);
      if (isLast) {
        isOver = true;
        throw new Dead(`${name} was the last`);
      }
      return result;
    });
  }
  return {
    get moments() {
      return moments;
    },
    get isOver() {
      return isOver;
    },
    end() {
      for (const [name, original] of before) Reflect.set(fs, name, original);
    },
  };
}
