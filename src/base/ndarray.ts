/** Host arrays: the one shape in which numbers enter and leave graphs, files and workers. */

export interface DataOf {
  float32: Float32Array;
  float64: Float64Array;
  int32: Int32Array;
  bool: Uint8Array;
}
export type DType = keyof DataOf;

/** A dense row-major array. `data.length` is the product of `shape`; a scalar has shape `[]`. Booleans are 0 or 1. */
export type NDArray<D extends DType = DType> = {
  [P in D]: { readonly dtype: P; readonly shape: readonly number[]; readonly data: DataOf[P] };
}[D];

/** A plain nested object with leaves of type `T`: parameters, optimiser state, inputs. */
export type Tree<T> = T | { readonly [key: string]: Tree<T> };

/** The number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
}

/** A float32 array of these values, copied unless they are a Float32Array. */
export function float32(data: Float32Array | readonly number[], shape: readonly number[]): NDArray<'float32'> {
  return { dtype: 'float32', shape, data: data instanceof Float32Array ? data : Float32Array.from(data) };
}

/** Float32 zeros. */
export const zeros = (shape: readonly number[]): NDArray<'float32'> => float32(new Float32Array(sizeOf(shape)), shape);

/** An int32 array of these values, copied unless they are an Int32Array. */
export function int32(data: Int32Array | readonly number[], shape: readonly number[]): NDArray<'int32'> {
  return { dtype: 'int32', shape, data: data instanceof Int32Array ? data : Int32Array.from(data) };
}

/** A float32 scalar. */
export function scalar(value: number): NDArray<'float32'> {
  return { dtype: 'float32', shape: [], data: Float32Array.of(value) };
}

/** How many bytes an array has. */
export const bytes = ({ shape, dtype }: Pick<NDArray, 'dtype' | 'shape'>): number =>
  sizeOf(shape) * { float32: 4, float64: 8, int32: 4, bool: 1 }[dtype];

/** The bytes of an array's data, over the same memory. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: NDArray['data'] | Uint16Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A copy of an array in memory of its own. */
export const copyOf = (array: NDArray): NDArray => ({ ...array, data: array.data.slice() }) as NDArray;

/** Whether other arrays may lie in the memory of one: it cannot be handed over. */
export const sharesBuffer = ({ data }: NDArray): boolean => data.byteLength < data.buffer.byteLength;

/** The array that lies in a buffer and fills it. */
export function overBuffer(buffer: ArrayBuffer, { dtype, shape }: Pick<NDArray, 'dtype' | 'shape'>): NDArray {
  switch (dtype) {
    case 'float32':
      return { dtype, shape, data: new Float32Array(buffer) };
    case 'float64':
      return { dtype, shape, data: new Float64Array(buffer) };
    case 'int32':
      return { dtype, shape, data: new Int32Array(buffer) };
    case 'bool':
      return { dtype, shape, data: new Uint8Array(buffer) };
  }
}

/** Arrays one after another, as one. */
export const joined = (parts: readonly Float32Array[]): Float32Array<ArrayBuffer> =>
  fill(new Float32Array(totalLength(parts)), parts);

/** Pieces of bytes one after another, as one. */
export const joinedBytes = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> =>
  fill(new Uint8Array(totalLength(parts)), parts);

const totalLength = (parts: readonly { readonly length: number }[]): number =>
  parts.reduce((n, { length }) => n + length, 0);

/** Writes `parts` into `all`, one after another. */
function fill<T extends { set(part: ArrayLike<number>, at: number): void }>(
  all: T,
  parts: readonly ArrayLike<number>[],
): T {
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
