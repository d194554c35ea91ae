/**
 * Damaged and hostile files: whatever is in them, the answer is a value or one line, and nothing large is allocated.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fixturePath } from '../../../test/support/fixtures.ts';
import { skipped } from '../../../test/support/skip.ts';
import { UserError } from '../../base/errors.ts';
import { float32, int32 } from '../../base/ndarray.ts';
import { memoryBytes } from './bytes.ts';
import { Cursor } from './cursor.ts';
import type { Writable } from './pickle.ts';
import { parseTorch } from './read.ts';
import { Storage, TorchTensor } from './tensors.ts';
import { unpickle } from './unpickle.ts';
import type { Value } from './values.ts';
import { encodeTorch } from './write.ts';

const own = Buffer.concat([
  ...encodeTorch(
    new Map<string, Writable>([
      ['weight', float32(Float32Array.from({ length: 12 }, Math.sin), [3, 4])],
      ['list', [1, 2.5, 'text', null, true, 2 ** 40]],
      ['step', int32([7], [])],
    ]),
  ),
]);
/** Larger files would take minutes: every length of each is tried. */
const SMALL = 6000;
const present = existsSync(fixturePath('checkpoints'));
const fixtureNames = (present ? readdirSync(fixturePath('checkpoints')) : []).filter(
  (name) => /\.(pt|pth|ckpt)$/.test(name) && statSync(fixturePath('checkpoints', name)).size < SMALL,
);
skipped(!present, 'altered fixtures', 'CLIPVQ_FIXTURES has no checkpoints');
const files: readonly (readonly [string, Buffer])[] = [
  ['own file', own],
  ...fixtureNames.map((name) => [name, readFileSync(fixturePath('checkpoints', name))] as const),
];

describe.each(files)('%s', (name, bytes) => {
  it('is refused in one line when it is cut off anywhere', () => {
    for (let length = 0; length < bytes.length; length++) {
      const outcome = attempt(bytes.subarray(0, length));
      expect(outcome, `${length} of ${bytes.length} bytes`).toBeInstanceOf(UserError);
    }
  });

  it('is read or refused in one line with bits flipped', () => {
    const flips = fc.array(fc.nat(8 * bytes.length - 1), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(flips, (places) => {
        const altered = Uint8Array.from(bytes);
        for (const place of places) altered[place >> 3]! ^= 1 << (place & 7);
        const outcome = attempt(altered);
        if (outcome instanceof UserError) expect(outcome.message).not.toMatch(/[\n\r]/);
        else expect(name).not.toMatch(/^evil\.pt$/);
      }),
      { numRuns: 1500 },
    );
  });

  it('is read or refused in one line with bytes replaced', () => {
    const edits = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.uint8Array({ minLength: 1, maxLength: 9 })), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(edits, (places) => {
        const altered = Uint8Array.from(bytes);
        for (const [at, replacement] of places) altered.set(replacement.subarray(0, bytes.length - at), at);
        attempt(altered);
      }),
      { numRuns: 1000 },
    );
  });
});

it('notices every flipped bit of the weights', () => {
  const begin = own.indexOf(Buffer.from(Float32Array.from({ length: 12 }, Math.sin).buffer));
  expect(begin).toBeGreaterThan(0);
  for (let bit = 0; bit < 8 * 48; bit++) {
    const altered = Uint8Array.from(own);
    altered[begin + (bit >> 3)]! ^= 1 << (bit & 7);
    expect(attempt(altered)).toMatchObject({
      message: expect.stringContaining('the checksum of archive/data/0 does not match'),
    });
  }
});

it('takes any bytes for a pickle', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      attempt(Uint8Array.of(0x80, 2, ...bytes));
    }),
    { numRuns: 5000 },
  );
});

describe('pickles', () => {
  const run = (program: string) =>
    unpickle(new Cursor(memoryBytes(Buffer.from(program, 'latin1'), 'file')), (id) => id);
  const name = fc.stringMatching(/^[A-Za-z_][\w.]{0,20}$/);

  it('may not name anything that is not on the list', () => {
    const allowed =
      /^(torch\.(\w+Storage|Size|device|float\d+|bfloat16|u?int\d+|bool)|torch\._utils\..*|collections\..*|builtins\.(dict|list|tuple|set|frozenset)|__builtin__\..*)$/;
    fc.assert(
      fc.property(name, name, (module, attribute) => {
        fc.pre(!allowed.test(`${module}.${attribute}`));
        for (const program of [
          `c${module}\n${attribute}\n.`,
          `X${length(module)}${module}X${length(attribute)}${attribute}\x93.`,
          `(i${module}\n${attribute}\n.`,
        ])
          expect(() => run(program)).toThrow(`refused, and nothing was run: it names ${module}.${attribute},`);
      }),
    );
  });

  it.each([
    'builtins.eval',
    'builtins.getattr',
    'os.system',
    'torch.load',
    'torch.storage._load_from_bytes',
    'torch.hub.load',
    'collections.OrderedDict.__class__',
    '__proto__.constructor',
  ])('may not name %s', (path) => {
    const dot = path.lastIndexOf('.');
    expect(() => run(`c${path.slice(0, dot)}\n${path.slice(dot + 1)}\n.`)).toThrow(`it names ${path},`);
  });

  it('may hold the class of a callback, but not call it', () => {
    const callback = 'cpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\n';
    expect(run(`${callback}.`)).toMatchObject({ name: 'pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint' });
    expect(() => run(`${callback})R.`)).toThrow(
      /calls pytorch_lightning\.callbacks\.model_checkpoint\.ModelCheckpoint, which may only be named/,
    );
  });

  it('give numpy numbers', () => {
    const type = 'cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb';
    const bytes = 'c_codecs\nencode\nX\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc2\xb8?X\x06\x00\x00\x00latin1\x86R';
    expect(run(`cnumpy.core.multiarray\nscalar\n${type}${bytes}\x86R.`)).toBe(0.09375);
  });

  it('treat __proto__ as any other key', () => {
    const value = run('}U\x09__proto__K\x01s.');
    expect(value).toEqual(new Map([['__proto__', 1]]));
  });

  it('cannot copy a list again and again', () => {
    const long = `(${'N'.repeat(3000)}l`;
    expect(() => run(`${long}q\x00${'cbuiltins\nset\nh\x00\x85R0'.repeat(3000)}.`)).toThrow(/its pickle is too long/);
  });
});

describe('tensors', () => {
  const storage = (length: number) => new Storage('float32', length, (begin, end) => new Uint8Array(end - begin));
  const make =
    (length: number, shape: number[], strides: number[], offset = 0) =>
    () =>
      new TorchTensor(storage(length), shape, strides, offset, 'file');

  it.each([
    ['beyond the end', make(6, [2, 3], [3, 1], 1)],
    ['before the start', make(6, [2], [-1], 1)],
    ['unfolding', make(1, [2 ** 16, 2 ** 16], [0, 0])],
    ['of a size beyond counting', make(1, [2 ** 40, 2 ** 40], [0, 0])],
    ['with strides that do not match', make(6, [2, 3], [1])],
    ['of fractions', make(6, [1.5], [1])],
  ])('%s are refused', (_, construct) => expect(construct).toThrow(UserError));

  it('gather as indexing does', () => {
    const sizes = fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(5)), { maxLength: 4 });
    fc.assert(
      fc.property(sizes, fc.nat(3), (axes, offset) => {
        const [shape, strides] = [axes.map(([size]) => size), axes.map(([, stride]) => stride)];
        const values = Float32Array.from({ length: 100 }, Math.cos);
        const whole = new Storage('float32', 100, (begin, end) => new Uint8Array(values.buffer.slice(begin, end)));
        const tensor = new TorchTensor(whole, shape, strides, offset, 'file');
        const expected: number[] = [];
        const visit = (axis: number, at: number): void => {
          if (axis === shape.length) expected.push(values[at]!);
          else for (let i = 0; i < shape[axis]!; i++) visit(axis + 1, at + i * strides[axis]!);
        };
        visit(0, offset);
        expect(Array.from(tensor.load().data)).toEqual(expected);
      }),
    );
  });
});

/** Reads a file and every tensor in it. Any other error than a UserError fails the test. */
function attempt(bytes: Uint8Array): Value | UserError {
  try {
    const value = parseTorch(memoryBytes(bytes, 'file'));
    loadAll(value, new Set());
    return value;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

/** Altered files may refer to themselves. */
function loadAll(value: Value, seen: Set<Value>): void {
  if (seen.has(value)) return;
  seen.add(value);
  if (value instanceof TorchTensor && value.dtype !== 'int64') value.load();
  if (value instanceof Map) for (const below of value.values()) loadAll(below, seen);
  if (Array.isArray(value)) for (const below of value) loadAll(below, seen);
}

function length(text: string): string {
  return String.fromCharCode(text.length, 0, 0, 0);
}
