/** Tensors of a checkpoint: views into storages, whose bytes are fetched only when the values are read. */
import { UserError } from '../../base/errors.ts';
import { type NDArray, sizeOf } from '../../base/ndarray.ts';
import { bfloat16ToFloat32, float16ToFloat32 } from '../half.ts';

/** The element types that are read, with the array that holds their bits. */
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;
export type TorchDType = keyof typeof ARRAYS;

/** The bits of tensors: 16-bit floats as they are, 64-bit integers as bigint, booleans as bytes. */
export type Elements = InstanceType<(typeof ARRAYS)[TorchDType]>;

/** PyTorch's name for the storage of each type. */
export const STORAGE_TYPES: ReadonlyMap<string, TorchDType> = new Map([
  ['torch.FloatStorage', 'float32'],
  ['torch.DoubleStorage', 'float64'],
  ['torch.HalfStorage', 'float16'],
  ['torch.BFloat16Storage', 'bfloat16'],
  ['torch.LongStorage', 'int64'],
  ['torch.IntStorage', 'int32'],
  ['torch.ShortStorage', 'int16'],
  ['torch.CharStorage', 'int8'],
  ['torch.ByteStorage', 'uint8'],
  ['torch.BoolStorage', 'bool'],
]);

/** Bytes of one element. */
export const elementBytes = (dtype: TorchDType): number => ARRAYS[dtype].BYTES_PER_ELEMENT;

/** A row of elements, shared by the tensors that look into it. */
export class Storage {
  constructor(
    readonly dtype: TorchDType,
    /** How many elements there are. */
    readonly length: number,
    /** Fetches bytes [begin, end). */
    readonly read: (begin: number, end: number) => Uint8Array<ArrayBuffer>,
  ) {}

  /** The part that starts at `offset` and has `length` elements, all of them within this storage. */
  view(offset: number, length: number): Storage {
    const shift = offset * elementBytes(this.dtype);
    return new Storage(this.dtype, length, (begin, end) => this.read(shift + begin, shift + end));
  }
}

/**
 * What a tensor may hold beyond its storage: elements that strides of zero repeat. A guard against small files that
 * unfold.
 */
const MAX_REPEATED = 2 ** 24;
const MAX_DIMENSIONS = 64;

/** Element [i, j, …] stands in the storage at `offset + i · strides[0] + j · strides[1] + …`. */
export class TorchTensor {
  /** @throws UserError when the view reaches beyond its storage. */
  constructor(
    private readonly storage: Storage,
    readonly shape: readonly number[],
    private readonly strides: readonly number[],
    private readonly offset: number,
    private readonly label: string,
  ) {
    const isWhole = (value: number) => Number.isSafeInteger(value) && value >= 0;
    if (
      shape.length !== strides.length ||
      shape.length > MAX_DIMENSIONS ||
      ![offset, ...shape, ...strides].every(isWhole)
    )
      throw new UserError(`${label}: a tensor has an impossible shape; the file is damaged: fetch it again`);
    const isEmpty = shape.includes(0);
    if (!isEmpty && (this.last >= storage.length || sizeOf(shape) > Math.max(storage.length, MAX_REPEATED)))
      throw new UserError(`${label}: a tensor reaches beyond its storage; the file is damaged: fetch it again`);
  }

  get dtype(): TorchDType {
    return this.storage.dtype;
  }

  /** The values' bits in row-major order, read now. */
  elements(): Elements {
    const width = elementBytes(this.dtype);
    const isEmpty = this.shape.includes(0);
    const bytes = isEmpty ? new Uint8Array() : this.storage.read(this.offset * width, (this.last + 1) * width);
    const dense = isEmpty || this.isContiguous() ? bytes : gather(bytes, width, this.shape, this.strides);
    return new ARRAYS[this.dtype](dense.buffer);
  }

  /**
   * The values, read now: float16 and bfloat16 widen to float32; integers become int32.
   *
   * @throws UserError for an integer beyond int32.
   */
  load(): NDArray {
    const { shape, dtype } = this;
    const elements = this.elements();
    if (elements instanceof Float32Array) return { dtype: 'float32', shape, data: elements };
    if (elements instanceof Float64Array) return { dtype: 'float64', shape, data: elements };
    if (elements instanceof Int32Array) return { dtype: 'int32', shape, data: elements };
    if (elements instanceof BigInt64Array) return { dtype: 'int32', shape, data: narrowed(elements, this.label) };
    if (elements instanceof Uint16Array) {
      const data = dtype === 'float16' ? float16ToFloat32(elements) : bfloat16ToFloat32(elements);
      return { dtype: 'float32', shape, data };
    }
    if (dtype === 'bool') return { dtype, shape, data: Uint8Array.from(elements, (value) => (value === 0 ? 0 : 1)) };
    return { dtype: 'int32', shape, data: Int32Array.from(elements) };
  }

  /** Index in the storage of the last element. */
  private get last(): number {
    return this.shape.reduce((at, size, axis) => at + (size - 1) * this.strides[axis]!, this.offset);
  }

  private isContiguous(): boolean {
    let expected = 1;
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      const size = this.shape[axis]!;
      if (size !== 1 && this.strides[axis] !== expected) return false;
      expected *= size;
    }
    return true;
  }
}

/** The elements, `width` bytes each, of a strided view in row-major order; the view starts at element 0 of `bytes`. */
function gather(
  bytes: Uint8Array<ArrayBuffer>,
  width: number,
  shape: readonly number[],
  strides: readonly number[],
): Uint8Array<ArrayBuffer> {
  const gathered = new Uint8Array(sizeOf(shape) * width);
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < gathered.length; to += width) {
    for (let byte = 0; byte < width; byte++) gathered[to + byte] = bytes[from + byte]!;
    // Count up the last index; carry into the one before it where it is full.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]! * width;
      if (++index[axis]! < shape[axis]!) break;
      from -= shape[axis]! * strides[axis]! * width;
      index[axis] = 0;
    }
  }
  return gathered;
}

function narrowed(values: BigInt64Array, label: string): Int32Array {
  const tooLarge = values.find((value) => BigInt.asIntN(32, value) !== value);
  if (tooLarge !== undefined)
    throw new UserError(`${label}: a tensor holds ${tooLarge}, beyond int32; store smaller integers`);
  return Int32Array.from(values, Number);
}
