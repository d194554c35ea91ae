/** Rows of numbers that lie one after another, [rows, dim]. */

/** Rows of zeros stay zeros. */
const SHORTEST = 1e-12;

/** Each row of `values` [rows, dim] divided by its Euclidean length, in float64. */
export function unitRows(values: ArrayLike<number>, dim: number): Float64Array<ArrayBuffer> {
  const result = Float64Array.from(values);
  for (let start = 0; start < result.length; start += dim) {
    const row = result.subarray(start, start + dim);
    const length = Math.max(Math.hypot(...row), SHORTEST);
    for (let d = 0; d < row.length; d++) row[d]! /= length;
  }
  return result;
}

/** `unitRows`, rounded to float32. */
export const unitRows32 = (values: ArrayLike<number>, dim: number): Float32Array<ArrayBuffer> =>
  Float32Array.from(unitRows(values, dim));

/** Some rows of a table [size, width], one after another. */
export function takeRows<T extends Int32Array | Float32Array | Uint8Array>(
  table: T,
  width: number,
  rows: ArrayLike<number>,
): T {
  const taken = new (table.constructor as new (n: number) => T)(rows.length * width);
  for (let i = 0; i < rows.length; i++) taken.set(table.subarray(rows[i]! * width, (rows[i]! + 1) * width), i * width);
  return taken;
}
