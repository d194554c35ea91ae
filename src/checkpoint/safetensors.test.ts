/** Safetensors: bitwise round trips, files built by hand byte by byte, fixtures, and damage of every kind. */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { anyText } from '../../test/support/any-text.ts';
import { refusal } from '../../test/support/refusal.ts';
import { skipped } from '../../test/support/skip.ts';
import { UserError } from '../base/errors.ts';
import { float32, int32, type NDArray, scalar, sizeOf } from '../base/ndarray.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';
import { encodeSafetensors, parseSafetensors } from './safetensors-bytes.ts';

const folder = fs.mkdtempSync(join(tmpdir(), 'safetensors-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** A file with any header text and data bytes. */
function handmade(header: string | Uint8Array, data: ArrayLike<number> = []): Uint8Array {
  const json = Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([prefix, json, Uint8Array.from(data)]);
}

function one(dtype: string, shape: readonly number[], data: ArrayLike<number>): Uint8Array {
  return handmade(JSON.stringify({ x: { dtype, shape, data_offsets: [0, data.length] } }), data);
}

function refused(bytes: Uint8Array): string {
  const message = refusal(() => parseSafetensors(bytes, 'model.safetensors'));
  if (message !== 'accepted') expect(message).toMatch(/^model\.safetensors: .{1,480}$/);
  return message;
}

const bits = (array: NDArray): Uint8Array =>
  new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength);

function expectSame(got: Record<string, NDArray>, expected: Record<string, NDArray>): void {
  expect(Object.keys(got).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, array] of Object.entries(expected)) {
    expect(got[name]!.dtype).toBe(array.dtype);
    expect(got[name]!.shape).toEqual(array.shape);
    expect(Buffer.compare(bits(got[name]!), bits(array))).toBe(0);
  }
}

const anyName = fc
  .oneof(anyText, fc.constantFrom('__proto__', '0', '7', 'constructor', '"', 'a\nb'))
  .filter((name) => name !== '__metadata__');
/** Arrays of random bits: every NaN payload, subnormal and negative zero may occur. */
const anyArray: fc.Arbitrary<NDArray> = fc
  .tuple(
    fc.constantFrom('float32', 'float64', 'int32', 'bool'),
    fc.array(fc.nat(3), { maxLength: 3 }),
    fc.uint8Array({ minLength: 216, maxLength: 216 }),
  )
  .map(([dtype, shape, raw]): NDArray => {
    const size = sizeOf(shape);
    const { buffer } = raw.slice();
    if (dtype === 'float32') return { dtype, shape, data: new Float32Array(buffer, 0, size) };
    if (dtype === 'float64') return { dtype, shape, data: new Float64Array(buffer, 0, size) };
    if (dtype === 'int32') return { dtype, shape, data: new Int32Array(buffer, 0, size) };
    return { dtype, shape, data: raw.slice(0, size).map((byte) => byte & 1) };
  });
const anyTensors = fc.dictionary(anyName, anyArray, { maxKeys: 5 });
const anyMetadata = fc.dictionary(anyText, anyText, { maxKeys: 3 });

describe('writing', () => {
  it('lays a small file out byte by byte as the format says', () => {
    const tensors = { b: int32([1, -1], [2]), a: { dtype: 'bool', shape: [1], data: Uint8Array.of(1) } as const };
    const header =
      '{"__metadata__":{"k":"v"},"b":{"dtype":"I32","shape":[2],"data_offsets":[0,8]},' +
      '"a":{"dtype":"BOOL","shape":[1],"data_offsets":[8,9]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    expect(padded.length).toBeGreaterThan(header.length);
    const expected = handmade(padded, [1, 0, 0, 0, 255, 255, 255, 255, 1]);
    expect(Buffer.concat(encodeSafetensors(tensors, { k: 'v' }))).toEqual(expected);
  });

  it('and reading again is bitwise the identity, through memory and through a file', () => {
    const path = join(folder, 'round-trip.safetensors');
    fc.assert(
      fc.property(anyTensors, anyMetadata, (tensors, metadata) => {
        const bytes = Buffer.concat(encodeSafetensors(tensors, metadata));
        const parsed = parseSafetensors(bytes, 'memory');
        expectSame(parsed.tensors, tensors);
        expect(Object.entries(parsed.metadata).sort()).toEqual(Object.entries(metadata).sort());
        expect(Buffer.concat(encodeSafetensors(parsed.tensors, parsed.metadata))).toEqual(bytes);
        writeSafetensors(path, tensors, metadata);
        expect(fs.readFileSync(path)).toEqual(bytes);
        expectSame(readSafetensors(path).tensors, tensors);
      }),
      { numRuns: 150 },
    );
  });

  it('does not depend on the order of keys, and aligns every array to its element size', () => {
    fc.assert(
      fc.property(anyTensors, anyMetadata, (tensors, metadata) => {
        const bytes = Buffer.concat(encodeSafetensors(tensors, metadata));
        const backwards = <T>(record: Record<string, T>) => Object.fromEntries(Object.entries(record).reverse());
        expect(Buffer.concat(encodeSafetensors(backwards(tensors), backwards(metadata)))).toEqual(bytes);
        const headerLength = Number(bytes.readBigUInt64LE());
        expect(headerLength % 8).toBe(0);
        const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength));
        for (const [name, array] of Object.entries(tensors)) {
          expect(header[name].data_offsets[0] % array.data.BYTES_PER_ELEMENT).toBe(0);
        }
      }),
    );
  });

  it('refuses arrays that contradict themselves', () => {
    expect(() => encodeSafetensors({ x: float32([1, 2, 3], [2, 2]) })).toThrow('3 values for 4 places of shape [2,2]');
    expect(() => encodeSafetensors({ x: { dtype: 'bool', shape: [1], data: Uint8Array.of(2) } })).toThrow('bool');
    expect(() => encodeSafetensors({ __metadata__: scalar(1) })).toThrow('__metadata__');
  });
});

describe('reading the known formats', () => {
  const read = (dtype: string, shape: readonly number[], view: ArrayBufferView) =>
    parseSafetensors(one(dtype, shape, new Uint8Array(view.buffer)), 'f').tensors.x!;

  it('keeps, widens or narrows without changing a value', () => {
    expect(read('F32', [2], Float32Array.of(1.5, -0))).toEqual(float32([1.5, -0], [2]));
    expect(read('F64', [], Float64Array.of(Math.PI))).toEqual({
      dtype: 'float64',
      shape: [],
      data: Float64Array.of(Math.PI),
    });
    expect(read('I32', [1, 2], Int32Array.of(7, -7))).toEqual(int32([7, -7], [1, 2]));
    expect(read('I64', [2], BigInt64Array.of(2n ** 31n - 1n, -(2n ** 31n)))).toEqual(
      int32([2147483647, -2147483648], [2]),
    );
    expect(read('U8', [3], Uint8Array.of(0, 128, 255))).toEqual(int32([0, 128, 255], [3]));
    expect(read('BOOL', [2], Uint8Array.of(0, 1))).toEqual({ dtype: 'bool', shape: [2], data: Uint8Array.of(0, 1) });
    expect(read('F16', [2], Uint16Array.of(0x3c00, 0x7bff))).toEqual(float32([1, 65504], [2]));
    expect(read('BF16', [2], Uint16Array.of(0x3f80, 0xc049))).toEqual(float32([1, -3.140625], [2]));
  });

  it('refuses values that no dtype here can hold, and formats it does not know, by name', () => {
    const bytes = (view: ArrayBufferView) => new Uint8Array(view.buffer);
    expect(refused(one('I64', [2], bytes(BigInt64Array.of(1n, 2n ** 31n))))).toMatch(
      /"x" holds 2147483648, beyond int32/,
    );
    expect(refused(one('I64', [1], bytes(BigInt64Array.of(-(2n ** 31n) - 1n))))).toMatch(/"x" holds -2147483649/);
    expect(refused(one('BOOL', [2], [1, 2]))).toMatch(/"x" is BOOL/);
    expect(refused(one('F8_E4M3', [1], [0]))).toMatch(/"x" has dtype "F8_E4M3"; convert it/);
    expect(refused(one('toString', [1], [0]))).toMatch(/"x" has dtype "toString"/);
  });

  it('takes a header in any spacing and tensors in any order', () => {
    const header = `{ "b" :{"data_offsets":[4,8],"shape":[1],"dtype":"I32"},
      "empty":{"dtype":"F32","shape":[0,3],"data_offsets":[4,4]}, "a":{"dtype":"I32","shape":[],"data_offsets":[0,4]}}   `;
    const { tensors, metadata } = parseSafetensors(handmade(header, [1, 0, 0, 0, 2, 0, 0, 0]), 'f');
    expect(tensors).toEqual({ b: int32([2], [1]), empty: float32([], [0, 3]), a: int32([1], []) });
    expect(Object.keys(tensors)).toEqual(['b', 'empty', 'a']);
    expect(metadata).toEqual({});
  });
});

describe('refusing', () => {
  const entry = (begin: number, end: number, rest = '"dtype":"U8","shape":[4]') =>
    `{${rest},"data_offsets":[${begin},${end}]}`;

  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /0 bytes are too few/],
    ['a PNG', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), /not a safetensors file/],
    ['a zip archive', Buffer.from('504b0304140000000800', 'hex'), /not a safetensors file/],
    ['a header over 100 MB', handmade('{}').fill(0xff, 0, 8), /announces a header of 18446744073709551615 bytes/],
    ['a cut header', handmade('{"a":1}').subarray(0, 12), /cut off within its header/],
    ['an empty header', handmade(''), /does not start with \{/],
    ['an array', handmade('[]'), /does not start with \{/],
    ['leading space', handmade(' {}'), /does not start with \{/],
    ['a byte order mark', handmade('\ufeff{}'), /does not start with \{/],
    ['broken JSON', handmade('{"a":\n}'), /not valid JSON/],
    ['broken UTF-8', handmade(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)), /not valid JSON/],
    ['a repeated tensor', handmade(`{"x":${entry(0, 4)},"\\u0078":${entry(0, 4)}}`, [1, 2, 3, 4]), /there twice/],
    [
      'a repeated field',
      handmade(`{"x":${entry(0, 4, '"dtype":"U8","shape":[9],"shape":[4]')}}`, [1, 2, 3, 4]),
      /twice/,
    ],
    ['metadata that is no text', handmade('{"__metadata__":{"a":1}}'), /__metadata__/],
    ['null metadata', handmade('{"__metadata__":null}'), /__metadata__/],
    ['an array of metadata', handmade('{"__metadata__":["a"]}'), /__metadata__/],
    ['a null entry', handmade('{"x":null}'), /entry of tensor "x"/],
    [
      'an unknown field',
      handmade(`{"x":${entry(0, 4, '"dtype":"U8","shape":[4],"y":1')}}`, [1, 2, 3, 4]),
      /entry of tensor/,
    ],
    ['a negative size', handmade(`{"x":${entry(0, 4, '"dtype":"U8","shape":[-4]')}}`, [1, 2, 3, 4]), /entry of tensor/],
    [
      'a fractional size',
      handmade(`{"x":${entry(0, 4, '"dtype":"U8","shape":[0.5,8]')}}`, [1, 2, 3, 4]),
      /entry of tensor/,
    ],
    [
      'a wrong size',
      handmade(`{"x":${entry(0, 4, '"dtype":"F32","shape":[4]')}}`, [1, 2, 3, 4]),
      /4 bytes where .* 16/,
    ],
    ['backward offsets', handmade(`{"x":${entry(4, 0)}}`, [1, 2, 3, 4]), /-4 bytes where/],
    [
      'an overflowing shape',
      handmade(`{"x":${entry(0, 0, `"dtype":"U8","shape":[${'9007199254740991,'.repeat(30)}0]`)}}`),
      /NaN|Infinity/,
    ],
    ['an overlap', handmade(`{"x":${entry(0, 4)},"y":${entry(2, 6)}}`, [1, 2, 3, 4, 5, 6]), /"y" overlaps/],
    ['two tensors in one place', handmade(`{"x":${entry(0, 4)},"y":${entry(0, 4)}}`, [1, 2, 3, 4]), /"y" overlaps/],
    ['a gap', handmade(`{"x":${entry(0, 4)},"y":${entry(5, 9)}}`, [1, 2, 3, 4, 5, 6, 7, 8, 9]), /before tensor "y"/],
    ['a late start', handmade(`{"x":${entry(1, 5)}}`, [1, 2, 3, 4, 5]), /before tensor "x"/],
    ['missing data', handmade(`{"x":${entry(0, 4)}}`, [1, 2, 3]), /cut off: 4 bytes of tensors announced, 3 there/],
    ['trailing data', handmade(`{"x":${entry(0, 4)}}`, [1, 2, 3, 4, 5]), /1 bytes at its end/],
    ['a name of control characters', handmade('{"a\\n\\u0000":0}'), /tensor "a\\n\\u0000"/],
    ['a name without end', handmade(`{"${'x'.repeat(10_000)}":0}`), /x…" is not/],
  ])('%s', (_, bytes, message) => {
    expect(refused(bytes)).toMatch(message);
  });

  it('files that are not there or are folders', () => {
    expect(() => readSafetensors(join(folder, 'missing'))).toThrow(UserError);
    expect(() => readSafetensors(join(folder, 'missing'))).toThrow(/Cannot read .*missing: no such file/);
    expect(() => readSafetensors(folder)).toThrow(/is a folder/);
    expect(() => readSafetensors(folder)).toThrow(UserError);
  });
});

describe('damage', () => {
  const sample = Buffer.concat(
    encodeSafetensors(
      {
        'blocks.0.weight': float32([1, 2, 3, 4], [2, 2]),
        codes: int32([1, 2, 3], [3]),
        used: { dtype: 'bool', shape: [2], data: Uint8Array.of(0, 1) },
      },
      { recipe: '{"seed":0}' },
    ),
  );

  it('every truncation is refused, in memory and on disk', () => {
    const path = join(folder, 'cut.safetensors');
    for (let length = 0; length < sample.length; length++) {
      expect(refused(sample.subarray(0, length))).not.toBe('accepted');
      fs.writeFileSync(path, sample.subarray(0, length));
      expect(() => readSafetensors(path)).toThrow(UserError);
    }
    expect(refused(sample)).toBe('accepted');
  });

  it('every single flipped bit is either refused or read; nothing else is thrown', () => {
    const outcomes = new Map<string, number>();
    for (let bit = 0; bit < sample.length * 8; bit++) {
      const flipped = Buffer.from(sample);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const outcome = refused(flipped) === 'accepted' ? 'accepted' : 'refused';
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    expect(outcomes.get('refused')).toBeGreaterThan(outcomes.get('accepted')!);
  });

  it('random bytes, with and without a plausible header, throw nothing but UserError', () => {
    const junk = fc.uint8Array({ maxLength: 64 });
    fc.assert(fc.property(junk, (bytes) => refused(bytes) !== ''));
    fc.assert(fc.property(anyText, junk, (text, data) => refused(handmade(`{${text}`, data)) !== ''));
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), junk, (header, data) => {
        refused(handmade(JSON.stringify(header), data));
      }),
    );
    const near = fc.record({
      dtype: fc.constantFrom('F32', 'I64', 'BOOL', 'F16', 'X'),
      shape: fc.array(fc.oneof(fc.nat(3), fc.double())),
      data_offsets: fc.array(fc.oneof(fc.nat(32), fc.double()), { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.dictionary(fc.string(), near), junk, (header, data) => {
        refused(handmade(JSON.stringify(header), data));
      }),
      { numRuns: 500 },
    );
  });
});

const fixtures = resolve(process.env.CLIPVQ_FIXTURES ?? '../shared/fixtures');
const files = fs.existsSync(fixtures) ? fs.readdirSync(fixtures).filter((name) => name.endsWith('.safetensors')) : [];
const absent = skipped(files.length === 0, 'safetensors of another writer', `${fixtures} has none`);

describe.skipIf(absent)('files of another writer (fixtures)', () => {
  const READ: Record<string, (view: DataView, i: number) => number> = {
    F32: (view, i) => view.getFloat32(i * 4, true),
    F64: (view, i) => view.getFloat64(i * 8, true),
    I32: (view, i) => view.getInt32(i * 4, true),
    I64: (view, i) => Number(view.getBigInt64(i * 8, true)),
  };

  it.each(files)('%s: every value equals what a plain DataView reads', (file) => {
    const raw = fs.readFileSync(join(fixtures, file));
    const start = 8 + raw.readUInt32LE(0);
    const { __metadata__, ...entries } = JSON.parse(raw.toString('utf8', 8, start));
    const { tensors, metadata } = readSafetensors(join(fixtures, file));
    expect(metadata).toEqual(__metadata__);
    expect(Object.keys(tensors)).toEqual(Object.keys(entries));
    for (const [name, { shape, data }] of Object.entries(tensors)) {
      const { dtype, shape: expectedShape, data_offsets } = entries[name];
      const view = new DataView(raw.buffer, raw.byteOffset + start + data_offsets[0]);
      expect(shape).toEqual(expectedShape);
      expect(data.length).toBe(sizeOf(shape));
      expect(data.findIndex((value, i) => !Object.is(value, READ[dtype]!(view, i)))).toBe(-1);
    }
  });
});
