/**
 * The official program stores distributions as `[batch, K + 1, tokens]`, classes in the middle; we read them token by
 * token.
 */
import type { NDArray } from '../../src/base/ndarray.ts';

/** The `[K + 1]` values of every token, batch by batch. */
export function eachToken({ shape, data }: NDArray): Float32Array[] {
  const [batch = 0, classes = 0, tokens = 0] = shape;
  return Array.from({ length: batch * tokens }, (_, i) => {
    const first = Math.floor(i / tokens) * classes * tokens + (i % tokens);
    return Float32Array.from({ length: classes }, (_, k) => data[first + k * tokens]!);
  });
}

/** A row without its mask entry: `[K]`. */
export function codesOf(row: Float32Array): Float32Array {
  return row.subarray(0, row.length - 1);
}
