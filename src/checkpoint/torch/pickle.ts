/** Writes pickles of protocol 2, as far as checkpoints need them: plain values, ordered dicts and tensors. */
import type { DType, NDArray } from '../../base/ndarray.ts';

/** Arrays become lists, maps become ordered dicts; a whole number becomes an int, as far as it is exact. */
export type Writable = null | boolean | number | string | NDArray | readonly Writable[] | ReadonlyMap<string, Writable>;

/** PyTorch's name for a storage of each type. */
const STORAGE_NAMES: Readonly<Record<DType, string>> = {
  float32: 'FloatStorage',
  float64: 'DoubleStorage',
  int32: 'IntStorage',
  bool: 'BoolStorage',
};

export interface Pickled {
  readonly pickle: Uint8Array;
  /** The data of each storage; its key is its index. Tensors that share their data share a storage. */
  readonly storages: readonly NDArray['data'][];
}

/** A value as a pickle, with the storages of its tensors. */
export function pickle(value: Writable): Pickled {
  const writer = new Writer();
  writer.raw(0x80, 2);
  writer.value(value);
  writer.code('.');
  return { pickle: Buffer.concat(writer.parts), storages: [...writer.storages.keys()] };
}

class Writer {
  readonly parts: Uint8Array[] = [];
  readonly storages = new Map<NDArray['data'], number>();

  value(value: Writable): void {
    if (value === null) this.code('N');
    else if (typeof value === 'boolean') this.code(value ? '\x88' : '\x89');
    else if (typeof value === 'number') this.number(value);
    else if (typeof value === 'string') this.text(value);
    else if (isArray(value)) this.list(value);
    else if (isMap(value)) this.orderedDict(value);
    else this.tensor(value);
  }

  code(code: string): void {
    this.parts.push(Buffer.from(code, 'latin1'));
  }

  raw(...bytes: number[]): void {
    this.parts.push(Uint8Array.from(bytes));
  }

  private number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(value);
      this.code('G');
      this.parts.push(bytes);
    } else if (value === (value | 0)) {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32LE(value);
      this.code('J');
      this.parts.push(bytes);
    } else {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt(value));
      this.raw(0x8a, 8);
      this.parts.push(bytes);
    }
  }

  private text(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    this.code('X');
    this.parts.push(length, bytes);
  }

  private list(items: readonly Writable[]): void {
    this.code('](');
    for (const item of items) this.value(item);
    this.code('e');
  }

  /** A tuple of whole numbers. */
  private tuple(items: readonly number[]): void {
    this.code('(');
    for (const item of items) this.number(item);
    this.code('t');
  }

  private orderedDict(map: ReadonlyMap<string, Writable>): void {
    this.global('collections', 'OrderedDict');
    this.code(')R(');
    for (const [key, value] of map) {
      this.text(key);
      this.value(value);
    }
    this.code('u');
  }

  private global(module: string, name: string): void {
    this.code(`c${module}\n${name}\n`);
  }

  /** _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks) of a storage the archive holds. */
  private tensor({ dtype, shape, data }: NDArray): void {
    const key = this.storages.get(data) ?? this.storages.size;
    this.storages.set(data, key);
    this.global('torch._utils', '_rebuild_tensor_v2');
    this.code('((');
    this.text('storage');
    this.global('torch', STORAGE_NAMES[dtype]);
    this.text(String(key));
    this.text('cpu');
    this.number(data.length);
    this.code('tQ');
    this.number(0);
    this.tuple(shape);
    this.tuple(rowMajorStrides(shape));
    this.code('\x89');
    this.orderedDict(new Map());
    this.code('tR');
  }
}

function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--)
    strides[axis] = strides[axis + 1]! * Math.max(1, shape[axis + 1]!);
  return strides;
}

const isArray = (value: Writable): value is readonly Writable[] => Array.isArray(value);
const isMap = (value: Writable): value is ReadonlyMap<string, Writable> => value instanceof Map;
