/** Max pooling against its definition, with gradients by differences. */

import { expect, it } from 'vitest';
import { evaluate, toValues } from '../../test/support/interpreter.ts';
import { bothGradients, weighted, worstError } from '../../test/support/numeric.ts';
import type { NDArray } from '../base/ndarray.ts';
import * as g from '../graph/index.ts';
import { maxPool } from './pooling.ts';

/** Positive, because the edge counts as zero, and without ties, where a maximum has no gradient. */
function picture(height: number, width: number): NDArray<'float64'> {
  const data = Float64Array.from({ length: 2 * height * width }, (_, i) => 1 + ((i * 7919) % 100_003) / 1e5);
  return { dtype: 'float64', shape: [1, 2, height, width], data };
}

/** The largest of the pixels a window has, for windows that start at the given rows and columns. */
function windows(x: NDArray, size: number, rows: readonly number[], columns: readonly number[]): number[] {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const largest = (plane: number, top: number, left: number) => {
    const seen: number[] = [];
    for (let y = top; y < Math.min(height, top + size); y++)
      for (let z = left; z < Math.min(width, left + size); z++) seen.push(x.data[(plane * height + y) * width + z]!);
    return Math.max(...seen);
  };
  const planes = Array.from({ length: batch * channels }, (_, plane) => plane);
  return planes.flatMap((plane) => rows.flatMap((top) => columns.map((left) => largest(plane, top, left))));
}

it.each([
  { side: [8, 8], size: 2, ceil: false, rows: [0, 2, 4, 6], columns: [0, 2, 4, 6] },
  { side: [7, 5], size: 2, ceil: false, rows: [0, 2, 4], columns: [0, 2] },
  { side: [15, 8], size: 3, ceil: false, rows: [0, 2, 4, 6, 8, 10, 12], columns: [0, 2, 4] },
  // The last window of an even side reaches over the edge.
  { side: [7, 8], size: 3, ceil: true, rows: [0, 2, 4], columns: [0, 2, 4, 6] },
])('takes the largest of each window: $side, size $size, ceil $ceil', ({ side, size, ceil, rows, columns }) => {
  const [height, width] = side as [number, number];
  const x = picture(height, width);
  const pooling = { size, stride: 2, ceil };
  const symbol = g.input('x', x);
  const y = maxPool(symbol, pooling);
  expect(y.shape).toEqual([1, 2, rows.length, columns.length]);
  const [values] = evaluate([y], new Map([[symbol, toValues(x)]]));
  expect([...values!.data]).toEqual(windows(x, size, rows, columns));
  const [gradient] = bothGradients([x], (x) => weighted(maxPool(x!, pooling), 5));
  expect(worstError(gradient!.table.data, gradient!.differences.data)).toBeLessThan(1e-7);
});
