/**
 * The reference numbers that parity tests compare with, from the folder `CLIPVQ_FIXTURES` or, if it is not set, from
 * `../shared/fixtures` or the part of them in `test/fixtures`. `onFixture` declares the tests of one file; where the
 * file is absent it says so by name.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'vitest';
import { float32, int32, type NDArray } from '../../src/base/ndarray.ts';
import { readSafetensors } from '../../src/checkpoint/safetensors.ts';
import { fixturePath, isPartial } from './fixture-files.ts';
import { skipped } from './skip.ts';

export { fixturePath } from './fixture-files.ts';

if (isPartial)
  console.warn('PARTIAL: CLIPVQ_FIXTURES is not set; tests compare with the part of the fixtures in test/fixtures');

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

  /** The tensors whose names start with a prefix, without it. */
  under(prefix: string): Record<string, NDArray> {
    const inside = [...this.#tensors].filter(([name]) => name.startsWith(prefix));
    return Object.fromEntries(inside.map(([name, array]) => [name.slice(prefix.length), array]));
  }

  /** What a pattern's first group matches in the names, each once. Throws when that is nothing. */
  matching(pattern: RegExp): string[] {
    const found = new Set(this.names.flatMap((name) => pattern.exec(name)?.[1] ?? []));
    if (found.size === 0) throw new Error(`the fixture has no name like ${pattern}`);
    return [...found];
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

  /** A tensor as a program takes it: floating point as float32, integers as int32. */
  feed(name: string): NDArray<'float32' | 'int32'> {
    const { shape, data } = this.tensor(name);
    return data instanceof Int32Array ? int32(data, shape) : float32(Float32Array.from(this.floats(name)), shape);
  }

  /** A number among the file's settings. */
  number(name: string): number {
    const value = this.setting(name);
    if (typeof value === 'number') return value;
    throw new TypeError(`fixture setting ${name} is not a number`);
  }

  /** Whether there is such a setting. */
  has(name: string): boolean {
    return this.#metadata.has(name);
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

/**
 * Tests that need `<name>.safetensors`, and other files. Where one is absent they are one skipped test that names it.
 */
export function onFixture(name: string, declare: (file: Fixture) => void, ...others: readonly string[]): void {
  needing(`fixtures/${name}`, [`${name}.safetensors`, ...others], () => declare(fixture(name)));
}

/** Tests that need `<name>.json`, and other files. */
export function onJsonFixture(name: string, declare: (value: unknown) => void, ...others: readonly string[]): void {
  needing(`fixtures/${name}`, [`${name}.json`, ...others], () => declare(jsonFixture(name)));
}

function needing(title: string, files: readonly string[], declare: () => void): void {
  const file = files.find((name) => !existsSync(fixturePath(name)));
  if (file === undefined) return void describe(title, declare);
  skipped(true, title, `${fixturePath()} has no ${file}`);
  describe.skip(title, () => void it(`needs ${file}`, () => {}));
}

function present<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`the fixture has no ${name}`);
  return value;
}
