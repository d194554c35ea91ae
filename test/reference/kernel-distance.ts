/** The kernel distance between two sets of picture features (KID; Bińkowski et al., 1801.01401). */

import { type Matrix, matrix, rowDot } from '../../src/evaluation/linear-algebra.ts';

/**
 * The unbiased squared maximum mean discrepancy under the kernel (x·y / dim + 1)³, over all pictures at once. About 0
 * for sets of one distribution, and below 0 as often as above.
 *
 * @param a, b features, `[pictures, dim]`, at least two pictures each.
 */
export function kernelDistance(a: ArrayLike<number>, b: ArrayLike<number>, dim: number): number {
  const [x, y] = [matrix(a, dim), matrix(b, dim)];
  if (x.rows < 2 || y.rows < 2) throw new RangeError('A kernel distance takes at least two samples a side');
  return meanKernel(x, x) + meanKernel(y, y) - 2 * meanKernel(x, y);
}

/** Mean kernel over all pairs; of a set with itself, over pairs of different samples. */
function meanKernel(x: Matrix, y: Matrix): number {
  let sum = 0;
  for (let i = 0; i < x.rows; i++) {
    for (let j = 0; j < y.rows; j++) if (x !== y || i !== j) sum += (rowDot(x, i, y, j) / x.columns + 1) ** 3;
  }
  return sum / (x.rows * (x === y ? y.rows - 1 : y.rows));
}
