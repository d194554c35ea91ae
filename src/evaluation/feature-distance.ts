/**
 * Distances between two sets of picture features: Fréchet (FID; Heusel et al., 1706.08500) and kernel (KID; Bińkowski
 * et al., 1801.01401).
 */
import {
  covariance,
  type Matrix,
  matrix,
  meanRow,
  rowDot,
  symmetricEigen,
  timesTransposed,
  trace,
} from './linear-algebra.ts';

/**
 * |m₀ − m₁|² + tr S₀ + tr S₁ − 2 Σ √eig(S₀^½ S₁ S₀^½), with sample means m and covariances S. In float64; covariances
 * may be rank deficient (fewer pictures than features), but then the estimate is far too high.
 *
 * @param a, b features, `[pictures, dim]`, at least two pictures each.
 */
export function frechetDistance(a: ArrayLike<number>, b: ArrayLike<number>, dim: number): number {
  const [x, y] = [matrix(a, dim), matrix(b, dim)];
  const [first, second] = [covariance(x), covariance(y)];
  return squaredMeanDistance(x, y) + trace(first) + trace(second) - 2 * traceOfRoot(first, second);
}

/** |m₀ − m₁|², the part of the Fréchet distance that is about means. */
export function squaredMeanDistance(x: Matrix, y: Matrix): number {
  const other = meanRow(y);
  return meanRow(x).reduce((sum, m, i) => sum + (m - other[i]!) ** 2, 0);
}

/** tr (S₀^½ S₁ S₀^½)^½. With S₀ = V diag(w) Vᵀ the inner matrix has the eigenvalues of W Vᵀ S₁ V W, W = diag(√w). */
function traceOfRoot(first: Matrix, second: Matrix): number {
  const { values, vectors } = symmetricEigen(first);
  const n = first.rows;
  const scaled = {
    ...vectors,
    data: vectors.data.map((v, i) => v * Math.sqrt(Math.max(0, values[Math.floor(i / n)]!))),
  };
  const inner = timesTransposed(timesTransposed(scaled, second), scaled);
  return symmetricEigen(inner).values.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
}

/**
 * The unbiased squared maximum mean discrepancy under the kernel (x·y / dim + 1)³, over all pictures at once. About 0
 * for sets of one distribution, and below 0 as often as above.
 *
 * @param a, b features, `[pictures, dim]`, at least two pictures each.
 */
export function kernelDistance(a: ArrayLike<number>, b: ArrayLike<number>, dim: number): number {
  const [x, y] = [matrix(a, dim), matrix(b, dim)];
  if (x.rows < 2 || y.rows < 2) throw new RangeError('a kernel distance takes at least two samples a side');
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
