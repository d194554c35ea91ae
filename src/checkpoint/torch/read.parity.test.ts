/**
 * Real files of torch.save, zip and legacy: every tensor's type, shape, sum and dot product with cos(i), and exact
 * values.
 */
import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { fixturePath, onJsonFixture } from '../../../test/support/fixtures.ts';
import { compare, same } from '../../../test/support/parity.ts';
import { hostileFiles, type IndexEntry } from '../../../test/support/reference-checkpoints.ts';
import { UserError } from '../../base/errors.ts';
import { readTorch } from './read.ts';
import { TorchTensor } from './tensors.ts';
import type { Value } from './values.ts';

/** The index has nine digits; both sides sum in float64 and in the same order. */
const NINE_DIGITS = { relative: 1e-8, absolute: 1e-9 };

onJsonFixture('checkpoints/index', (json) => {
  const index = json as Readonly<Record<string, IndexEntry>>;

  it.each(Object.keys(index))('%s: every tensor', (name) => {
    const expected = index[name]!;
    const root = readTorch(fixturePath('checkpoints', name));
    same('checkpoints', `${name}: keys`, root instanceof Map && [...root.keys()], expected.top_level);
    const found = new Map([...tensorsIn(root, '')].sort(byName));
    const wanted = Object.entries(expected.tensors).sort(byName);
    same(
      'checkpoints',
      `${name}: types, shapes`,
      [...found].map(([path, { dtype, shape }]) => [path, dtype, shape]),
      wanted.map(([path, [dtype, shape]]) => [path, dtype, shape]),
    );
    const summaries = [...found.values()].map((tensor) => summarize(numbersOf(tensor)));
    compare(
      'checkpoints',
      `${name}: sums`,
      summaries.map(({ sum }) => sum),
      wanted.map(([, [, , sum]]) => sum),
      NINE_DIGITS,
    );
    compare(
      'checkpoints',
      `${name}: dots`,
      summaries.map(({ dot }) => dot),
      wanted.map(([, [, , , dot]]) => dot),
      NINE_DIGITS,
    );
  });

  // The exact contents are listed once, for the zip and the legacy file alike.
  const zoo = Object.values(index).find(({ values }) => values !== undefined);
  const isZoo = (name: string) => zoo !== undefined && String(index[name]!.top_level) === String(zoo.top_level);
  it.each(Object.keys(index).filter(isZoo))('%s: exact values', (name) => {
    const root = readTorch(fixturePath('checkpoints', name)) as Map<string, Value>;
    const read = Object.keys(zoo!.values!).map((path) => [path, numbersOf(root.get(path) as TorchTensor)]);
    same('checkpoints', `${name}: values`, read, Object.entries(zoo!.values!));
    same('checkpoints', `${name}: nested`, asJson(root.get('nested')!), zoo!.nested);
    const wide = [...root].filter(([path]) => zoo!.values![path]?.some((value) => Math.abs(value) >= 2 ** 31));
    for (const [, tensor] of wide)
      if ((tensor as TorchTensor).dtype === 'int64')
        expect(() => (tensor as TorchTensor).load()).toThrow(/beyond int32/);
  });

  it.each(hostileFiles())('%s is refused by the name it asks for', (name) => {
    const read = () => readTorch(fixturePath('checkpoints', name));
    expect(read).toThrow(UserError);
    expect(read).toThrow(/^[^\n]*refused, and nothing was run: it names [\w.]+, [^\n]*$/);
    same('checkpoints', 'hostile files run nothing', existsSync('/tmp/pwned'), false);
  });
});

/** JSON has neither sets nor integers beyond 2^53: the index writes lists and texts in their place. */
function asJson(value: Value): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, below]) => [key, asJson(below)]));
  if (value instanceof Set || Array.isArray(value)) return [...value].map(asJson);
  return value;
}

function* tensorsIn(value: Value, path: string): Generator<[string, TorchTensor]> {
  if (value instanceof TorchTensor) yield [path, value];
  const entries = value instanceof Map ? value.entries() : Array.isArray(value) ? value.entries() : [];
  for (const [key, below] of entries) yield* tensorsIn(below, path === '' ? String(key) : `${path}/${String(key)}`);
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function numbersOf(tensor: TorchTensor): number[] {
  return tensor.dtype === 'int64' ? Array.from(tensor.elements(), Number) : Array.from(tensor.load().data);
}

/** Over the finite elements, in row-major order. */
function summarize(values: readonly number[]): { sum: number; dot: number } {
  let [sum, dot] = [0, 0];
  values.forEach((value, i) => {
    if (!Number.isFinite(value)) return;
    sum += value;
    dot += value * Math.cos(i);
  });
  return { sum, dot };
}
