/**
 * The reference numbers that fixture tests compare with, from the folder `CLIPVQ_FIXTURES` (by default
 * `../shared/fixtures`). Use with `describe.skipIf(!fixturesPresent)`: where the folder is absent, importing this file
 * says so once.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readSafetensors } from '../../src/checkpoint/safetensors.ts';
import type { NDArray } from '../../src/ndarray.ts';

const folder = path.resolve(process.env.CLIPVQ_FIXTURES ?? '../shared/fixtures');

export const fixturesPresent = existsSync(folder);
if (!fixturesPresent) console.warn('SKIPPED: fixture tests, because the folder named by CLIPVQ_FIXTURES is absent');

/** One safetensors file. Accessors throw on a missing name, so that a test cannot pass by comparing nothing. */
export class Fixture {
  readonly names: readonly string[];
  readonly #tensors: ReadonlyMap<string, NDArray>;
  readonly #metadata: ReadonlyMap<string, string>;

  constructor(tensors: ReadonlyMap<string, NDArray>, metadata: ReadonlyMap<string, string>) {
    this.names = [...tensors.keys()];
    this.#tensors = tensors;
    this.#metadata = metadata;
  }

  tensor(name: string): NDArray {
    return present(this.#tensors.get(name), name);
  }

  /** A floating-point tensor's values. */
  floats(name: string): Float32Array | Float64Array {
    const { data } = this.tensor(name);
    if (data instanceof Float32Array || data instanceof Float64Array) return data;
    throw new TypeError(`fixture ${name} is not floating point`);
  }

  /** An integer tensor's values; int64 is narrowed to int32. */
  ints(name: string): Int32Array {
    const { data } = this.tensor(name);
    if (data instanceof Int32Array) return data;
    throw new TypeError(`fixture ${name} is not an integer tensor`);
  }

  /** A number among the file's settings. */
  number(name: string): number {
    const value = this.setting(name);
    if (typeof value === 'number') return value;
    throw new TypeError(`fixture setting ${name} is not a number`);
  }

  /** A setting parsed as JSON; plain text that is not JSON comes back as it is. */
  setting(name: string): unknown {
    const text = present(this.#metadata.get(name), name);
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }
}

/** Opens `<name>.safetensors`. */
export function fixture(name: string): Fixture {
  const { tensors, metadata } = readSafetensors(fixturePath(`${name}.safetensors`));
  return new Fixture(new Map(Object.entries(tensors)), new Map(Object.entries(metadata)));
}

/** Parses `<name>.json`; the test names the type it expects by validating it. */
export function jsonFixture(name: string): unknown {
  return JSON.parse(readFileSync(fixturePath(`${name}.json`), 'utf8'));
}

/** The path of any other file in the folder. */
export function fixturePath(...parts: string[]): string {
  return path.join(folder, ...parts);
}

function present<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`the fixture has no ${name}`);
  return value;
}
