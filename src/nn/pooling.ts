/** Max pooling as maxima of strided slices: no primitive of its own, and the gradient follows from theirs. */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';

/** The windows of a pooling. */
export interface Pooling {
  /** Side of the window. */
  readonly size: number;
  readonly stride: number;
  /**
   * Whether windows that reach over the edge count ("ceil mode"). Values may not be negative then: the edge is padded
   * with zeros.
   */
  readonly ceil?: boolean;
}

/** The largest of each window: [batch, channels, height, width] to [batch, channels, …], without padding in front. */
export function maxPool(x: Tensor, { size, stride, ceil = false }: Pooling): Tensor {
  const outputs = (n: number) => (ceil ? Math.ceil : Math.floor)((n - size) / stride) + 1;
  const [height, width] = x.shape.slice(2) as [number, number];
  const [rows, columns] = [outputs(height), outputs(width)];
  const reach = (count: number) => (count - 1) * stride + size;
  const [below, right] = [Math.max(0, reach(rows) - height), Math.max(0, reach(columns) - width)];
  const padded = below + right > 0 ? g.pad(x, [0, 0, 0, 0], [0, 0, below, right]) : x;

  const every = (t: Tensor, axis: 2 | 3, start: number, count: number) =>
    g.slice(t, axis, start, start + (count - 1) * stride + 1, stride);
  const windows = Array.from({ length: size * size }, (_, k) =>
    every(every(padded, 2, Math.floor(k / size), rows), 3, k % size, columns),
  );
  return windows.reduce((a, b) => g.maximum(a, b));
}
