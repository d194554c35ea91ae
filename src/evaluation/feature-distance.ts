/**
 * Distances between two sets of picture features: Fréchet (FID; Heusel et al., 1706.08500) and kernel (KID; Bińkowski
 * et al., 1801.01401).
 */
import type { Steps } from '../base/steps.ts';
import { type Interval, linearInterval } from './interval.ts';
import {
  covariance,
  eigenCost,
  type Matrix,
  matrix,
  meanRow,
  rowDot,
  symmetricEigen,
  timesTransposed,
  trace,
  transposed,
} from './linear-algebra.ts';

/**
 * |m₀ − m₁|² + tr S₀ + tr S₁ − 2 Σ √eig(S₀^½ S₁ S₀^½), with sample means m and covariances S. In float64; covariances
 * may be rank deficient (fewer pictures than features), but then the estimate is far too high.
 *
 * @param a, b features, `[pictures, dim]`, at least two pictures each.
 */
export function* frechetDistance(a: ArrayLike<number>, b: ArrayLike<number>, dim: number): Steps<number> {
  const [x, y] = [matrix(a, dim), matrix(b, dim)];
  const [first, second] = [yield* covariance(x), yield* covariance(y)];
  return squaredMeanDistance(x, y) + trace(first) + trace(second) - 2 * (yield* traceOfRoot(first, second));
}

/**
 * The Fréchet distance of generated pictures from real ones, with the interval in which it would lie for other pictures
 * of the same generator. The interval is by the distance's first-order dependence on each picture (the infinitesimal
 * jackknife): a picture at d from the mean m₁ moves it by 2 (m₁ − m₀)·d + dᵀ(I − T) d over n, T = S₀^½ (S₀^½ S₁
 * S₀^½)^-½ S₀^½ being the transport from one Gaussian to the other. The bias that few pictures cause is not in it.
 *
 * @param made, real features, `[pictures, dim]`, at least two pictures each.
 */
export function* frechetInterval(made: ArrayLike<number>, real: ArrayLike<number>, dim: number): Steps<Interval> {
  const [x, y] = [matrix(made, dim), matrix(real, dim)];
  const [own, other] = [yield* covariance(x), yield* covariance(y)];
  const half = yield* rootRows(other);
  const inner = yield* timesTransposed(yield* timesTransposed(half, own), half);
  const { values, vectors } = yield* symmetricEigen(inner);
  const roots = values.map((value) => Math.sqrt(Math.max(0, value)));
  const total = roots.reduce((sum, root) => sum + root, 0);
  const value = squaredMeanDistance(x, y) + trace(own) + trace(other) - 2 * total;
  const largest = roots.reduce((a, b) => Math.max(a, b), 0);
  // Rows u with |Σ (u·d)²| = dᵀ T d; directions in which the generated pictures do not vary have no part in it.
  const transport = yield* timesTransposed(vectors, transposed(half));
  roots.forEach((root, i) => {
    const scale = root > 1e-9 * largest ? 1 / Math.sqrt(root) : 0;
    for (let k = 0; k < dim; k++) transport.data[i * dim + k]! *= scale;
  });
  const [mean, otherMean] = [meanRow(x), meanRow(y)];
  const influence = new Float64Array(x.rows);
  for (let i = 0; i < x.rows; i++) {
    const d = { rows: 1, columns: dim, data: mean.map((m, k) => x.data[i * dim + k]! - m) };
    let sum = 0;
    for (let k = 0; k < dim; k++) sum += 2 * (mean[k]! - otherMean[k]!) * d.data[k]! + d.data[k]! ** 2;
    influence[i] = (yield* timesTransposed(transport, d)).data.reduce((rest, u) => rest - u * u, sum);
  }
  return linearInterval(value, influence);
}

/** What `frechetInterval` costs. */
export const frechetCost = (made: number, real: number, dim: number): number =>
  (2 * made + real) * dim ** 2 + 3 * dim ** 3 + 2 * eigenCost(dim);

/** |m₀ − m₁|², the part of the Fréchet distance that is about means. */
export function squaredMeanDistance(x: Matrix, y: Matrix): number {
  const other = meanRow(y);
  return meanRow(x).reduce((sum, m, i) => sum + (m - other[i]!) ** 2, 0);
}

/** tr (S₀^½ S₁ S₀^½)^½. With S₀ = V diag(w) Vᵀ the inner matrix has the eigenvalues of W Vᵀ S₁ V W, W = diag(√w). */
function* traceOfRoot(first: Matrix, second: Matrix): Steps<number> {
  const scaled = yield* rootRows(first);
  const inner = yield* timesTransposed(yield* timesTransposed(scaled, second), scaled);
  const { values } = yield* symmetricEigen(inner);
  return values.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
}

/** W Vᵀ, rows of eigenvectors times the roots of their eigenvalues: a root R of S = Rᵀ R. */
function* rootRows(symmetric: Matrix): Steps<Matrix> {
  const { values, vectors } = yield* symmetricEigen(symmetric);
  const n = symmetric.rows;
  return { ...vectors, data: vectors.data.map((v, i) => v * Math.sqrt(Math.max(0, values[Math.floor(i / n)]!))) };
}

/**
 * The unbiased squared maximum mean discrepancy under the kernel (x·y / dim + 1)³, over all pictures at once. About 0
 * for sets of one distribution, and below 0 as often as above. The interval is by what each generated picture adds (the
 * first term of its U-statistic).
 *
 * @param made, real features, `[pictures, dim]`, at least two pictures each.
 */
export function* kernelInterval(made: ArrayLike<number>, real: ArrayLike<number>, dim: number): Steps<Interval> {
  const [x, y] = [matrix(made, dim), matrix(real, dim)];
  if (x.rows < 2 || y.rows < 2) throw new RangeError('a kernel distance takes at least two samples a side');
  const [own, other] = [yield* kernelRows(x, x), yield* kernelRows(x, y)];
  const value = mean(own) + mean(yield* kernelRows(y, y)) - 2 * mean(other);
  return linearInterval(
    value,
    own.map((sum, i) => 2 * (sum - other[i]!)),
  );
}

/** Mean kernel of each row of x with the rows of y, or with its other rows where both are one set. */
function* kernelRows(x: Matrix, y: Matrix): Steps<Float64Array> {
  const means = new Float64Array(x.rows);
  for (let i = 0; i < x.rows; i++) {
    means[i] = kernelSum(x, i, y) / (x === y ? y.rows - 1 : y.rows);
    yield y.rows * y.columns;
  }
  return means;
}

function kernelSum(x: Matrix, i: number, y: Matrix): number {
  let sum = 0;
  for (let j = 0; j < y.rows; j++) if (x !== y || i !== j) sum += (rowDot(x, i, y, j) / x.columns + 1) ** 3;
  return sum;
}

/** What `kernelInterval` costs. */
export const kernelCost = (made: number, real: number, dim: number): number =>
  (made * made + made * real + real * real) * dim;

const mean = (values: Float64Array): number => values.reduce((a, b) => a + b, 0) / values.length;
