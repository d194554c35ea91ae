/** Signals that the browser keeps: a reload, or another day, finds them as they were. */

import { effect, type Signal, signal } from '@preact/signals';

function read(name: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(name) ?? 'null');
  } catch {
    return null;
  }
}

/** A signal kept under this name; `revive` makes a value of whatever is found there, null included. */
export function saved<T>(name: string, revive: (found: unknown) => T): Signal<T> {
  const key = `studio.${name}`;
  const value = signal(revive(read(key)));
  effect(() => {
    const text = JSON.stringify(value.value);
    try {
      localStorage.setItem(key, text);
    } catch {
      // Without room, or where the browser keeps nothing, the page works all the same.
    }
  });
  return value;
}

/** One of several words. */
export const oneOf =
  <T extends string>(words: readonly T[], otherwise: T) =>
  (found: unknown): T =>
    words.find((word) => word === found) ?? otherwise;
