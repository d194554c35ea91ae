/** Files we write: read back bit by bit, aligned, beyond 4 GiB, and, where PyTorch is installed, by `torch.load`. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pythonWithTorch } from '../../../test/support/python.ts';
import { float32, int32, type NDArray } from '../../base/ndarray.ts';
import { crc32 } from '../../files/crc32.ts';
import { type ByteSource, memoryBytes } from './bytes.ts';
import type { Writable } from './pickle.ts';
import { parseTorch } from './read.ts';
import { TorchTensor } from './tensors.ts';
import type { Value } from './values.ts';
import { encodeTorch, writeTorch } from './write.ts';
import { readEntry, readZipDirectory } from './zip.ts';
import { encodeDirectory, encodeLocalHeader } from './zip-writer.ts';

const shape = fc.array(fc.nat(4), { maxLength: 3 });
const array: fc.Arbitrary<NDArray> = shape.chain((sizes) => {
  const length = sizes.reduce((n, size) => n * size, 1);
  const exact = { minLength: length, maxLength: length };
  return fc.oneof(
    fc.float32Array(exact).map((data): NDArray => ({ dtype: 'float32', shape: sizes, data: new Float32Array(data) })),
    fc.float64Array(exact).map((data): NDArray => ({ dtype: 'float64', shape: sizes, data: new Float64Array(data) })),
    fc.int32Array(exact).map((data): NDArray => ({ dtype: 'int32', shape: sizes, data: new Int32Array(data) })),
    fc
      .uint8Array({ ...exact, max: 1 })
      .map((data): NDArray => ({ dtype: 'bool', shape: sizes, data: new Uint8Array(data) })),
  );
});
const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.string({ unit: 'grapheme' }),
  array,
);
const nested = fc.letrec<{ value: Writable }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 4 }).map((items): Writable => new Map(items)),
  ),
})).value;

const encode = (value: Writable): Buffer => Buffer.concat([...encodeTorch(value)]);

it('writes what it reads, bit by bit', () => {
  fc.assert(
    fc.property(nested, (value) => {
      expect(loaded(parseTorch(memoryBytes(encode(value), 'file')))).toEqual(value);
    }),
  );
});

it('keeps sharing, and aligns every entry to 64 bytes', () => {
  const data = Float32Array.of(1, 2, 3, 4);
  const file = memoryBytes(
    encode(
      new Map([
        ['row', float32(data, [4])],
        ['square', float32(data, [2, 2])],
      ]),
    ),
    'file',
  );
  const entries = [...readZipDirectory(file).values()];
  expect(entries.map(({ name }) => name)).toEqual([
    'archive/data.pkl',
    'archive/byteorder',
    'archive/data/0',
    'archive/version',
  ]);
  expect(entries.map(({ begin }) => begin % 64)).toEqual([0, 0, 0, 0]);
});

it('reads no more than the tensors that are asked for', () => {
  const weights = Array.from({ length: 8 }, (_, i) => float32(new Float32Array(2 ** 18).fill(i), [2 ** 18]));
  const bytes = encode(weights);
  const file = memoryBytes(bytes, 'file');
  let fetched = 0;
  let longest = 0;
  const read = (begin: number, end: number) => {
    fetched += end - begin;
    longest = Math.max(longest, end - begin);
    return file.read(begin, end);
  };
  const tensors = parseTorch({ ...file, read }) as TorchTensor[];
  const description = fetched;
  expect(description).toBeLessThan(2 ** 17);
  expect(tensors[5]!.load().data[0]).toBe(5);
  expect(fetched - description).toBe(2 ** 20);
  expect(longest).toBe(2 ** 20);
});

it('computes the CRC-32 of the standard', () => {
  expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
  const bytes = Buffer.from('The quick brown fox jumps over the lazy dog');
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(0x414fa339);
  }
});

it('reads and writes archives beyond 4 GiB', () => {
  const [data, hole] = [Buffer.from('beyond'), 5 * 2 ** 30];
  const first = { name: 'archive/data/0', size: hole, crc: 0, offset: 0 };
  const firstHeader = encodeLocalHeader(first);
  const second = { name: 'archive/data/1', size: data.length, crc: crc32(data), offset: firstHeader.length + hole };
  const secondHeader = encodeLocalHeader(second);
  const directoryBegin = second.offset + secondHeader.length + data.length;
  const rest = Buffer.concat([secondHeader, data, encodeDirectory([first, second], directoryBegin)]);
  const file = sparse(
    [
      [0, firstHeader],
      [second.offset, rest],
    ],
    second.offset + rest.length,
  );

  const entries = readZipDirectory(file);
  expect(entries.get(first.name)).toEqual({ name: first.name, size: hole, crc: 0, begin: firstHeader.length });
  expect(entries.get(second.name)!.begin % 64).toBe(0);
  expect(Buffer.from(readEntry(file, entries.get(second.name)!, 0, data.length, new Set()))).toEqual(data);
});

const python = pythonWithTorch('what PyTorch reads');

describe.skipIf(python === undefined)('PyTorch', () => {
  /** What a Python expression over the loaded file `d` gives. */
  const inPython = (value: Writable, options: string, expression: string): unknown => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-torch-'));
    try {
      const file = path.join(folder, 'file.pth');
      writeTorch(file, value);
      const program = `import sys, json, torch\nd = torch.load(sys.argv[1], ${options})\nprint(json.dumps(${expression}))`;
      const { stdout, stderr } = spawnSync(python!, ['-c', program, file], { encoding: 'utf8' });
      expect(stderr).toBe('');
      return JSON.parse(stdout);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  };

  it('loads tensors with weights_only, and finds the same values', () => {
    const weight = float32(
      Float32Array.from({ length: 6 }, (_, i) => i / 7),
      [2, 3],
    );
    const tensors = new Map<string, Writable>([
      ['weight', weight],
      ['alias', weight],
      ['count', int32([1, -2], [2])],
      ['scalar', { dtype: 'float64', shape: [], data: Float64Array.of(0.1) }],
      ['mask', { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) }],
      ['empty', float32([], [0, 4])],
    ]);
    const described = '{k: [str(v.dtype), list(v.shape), v.double().flatten().tolist()] for k, v in d.items()}';
    const isShared = 'bool(d["weight"].zero_().sum() == d["alias"].sum())';
    const expected = Array.from(weight.data);
    expect(inPython(tensors, 'weights_only=True', `[type(d).__name__, ${described}, ${isShared}]`)).toEqual([
      'OrderedDict',
      {
        weight: ['torch.float32', [2, 3], expected],
        alias: ['torch.float32', [2, 3], expected],
        count: ['torch.int32', [2], [1, -2]],
        scalar: ['torch.float64', [], [0.1]],
        mask: ['torch.bool', [2], [1, 0]],
        empty: ['torch.float32', [0, 4], []],
      },
      true,
    ]);
  });

  it('loads plain values', () => {
    const plain = [1, 2.5, 'hé世', null, true, -(2 ** 40), [], [-1]];
    expect(inPython(plain, 'map_location="cpu"', 'd')).toEqual(plain);
  });
});

function loaded(value: Value): unknown {
  if (value instanceof TorchTensor) return value.load();
  if (value instanceof Map) return new Map([...value].map(([key, below]) => [key, loaded(below)]));
  return Array.isArray(value) ? value.map(loaded) : value;
}

/** A file of `size` bytes that are zero but for the given parts. */
function sparse(parts: readonly (readonly [number, Buffer])[], size: number): ByteSource {
  const read = (begin: number, end: number) => {
    const bytes = new Uint8Array(end - begin);
    for (const [at, part] of parts) {
      const [from, to] = [Math.max(begin, at), Math.min(end, at + part.length)];
      if (from < to) bytes.set(part.subarray(from - at, to - at), from - begin);
    }
    return bytes;
  };
  return { label: 'sparse', size, read };
}
