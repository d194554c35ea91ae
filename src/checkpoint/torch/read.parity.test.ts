/** Real files of torch.save, zip and legacy: every tensor's type, shape, sum and dot product with cos(i), and exact values. */
import { expect, it } from 'vitest';
import { fixturePath, onJsonFixture } from '../../../test/support/fixtures.ts';
import { compare, same } from '../../../test/support/parity.ts';
import { readTorch } from './read.ts';
import { TorchTensor } from './tensors.ts';
import type { Value } from './values.ts';

type Summary = readonly [dtype: string, shape: readonly number[], sum: number, dot: number];
interface Expected {
  readonly top_level: readonly string[];
  readonly tensors: Readonly<Record<string, Summary>>;
  readonly values?: Readonly<Record<string, readonly number[]>>;
}

/** The index has nine digits; both sides sum in float64 and in the same order. */
const NINE_DIGITS = { relative: 1e-8, absolute: 1e-9 };

onJsonFixture('checkpoints/index', (json) => {
  const index = json as Readonly<Record<string, Expected>>;

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

  it.each(Object.keys(index).filter((name) => name.startsWith('dtype_zoo')))('%s: exact values', (name) => {
    const values = Object.values(index).find((entry) => entry.values !== undefined)!.values!;
    const root = readTorch(fixturePath('checkpoints', name)) as Map<string, Value>;
    const read = Object.keys(values).map((path) => [path, numbersOf(root.get(path) as TorchTensor)]);
    same('checkpoints', `${name}: values`, read, Object.entries(values));
    // JSON has no sets and no numbers beyond 2^53.
    expect(root.get('nested')).toEqual(
      new Map<string, Value>([
        ['list', [1, 2.5, 'x', null, true, [1, 2]]],
        ['big', 2n ** 70n],
        ['neg', -5],
        ['unicode', 'hé世'],
        ['set', new Set([1, 2])],
      ]),
    );
    expect(() => (root.get('i64') as TorchTensor).load()).toThrow(/1099511627776, beyond int32/);
  });
});

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
