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
