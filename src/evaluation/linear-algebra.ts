/** Dense float64 linear algebra for the metrics: covariances, products, and the eigenvalues of symmetric matrices. */

import type { Steps } from '../base/steps.ts';

/** A row-major matrix. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** Wraps `[rows, columns]` values; throws a RangeError when their number does not divide into columns. */
export function matrix(data: ArrayLike<number>, columns: number): Matrix {
  const rows = data.length / columns;
  if (!Number.isInteger(rows)) throw new RangeError(`${data.length} values are not rows of ${columns}`);
  return { rows, columns, data: data instanceof Float64Array ? data : Float64Array.from(data) };
}

/** A Bᵀ, whose rows are the inner products of rows: both operands are read in order. */
export function* timesTransposed(a: Matrix, b: Matrix): Steps<Matrix> {
  const data = new Float64Array(a.rows * b.rows);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < b.rows; j++) data[i * b.rows + j] = rowDot(a, i, b, j);
    yield b.rows * b.columns;
  }
  return { rows: a.rows, columns: b.rows, data };
}

/** The inner product of row i of a with row j of b. */
export function rowDot(a: Matrix, i: number, b: Matrix, j: number): number {
  const width = a.columns;
  let sum = 0;
  for (let k = 0; k < width; k++) sum += a.data[i * width + k]! * b.data[j * width + k]!;
  return sum;
}

/** Aᵀ. */
export function transposed({ rows, columns, data }: Matrix): Matrix {
  const result = new Float64Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = data[i * columns + j]!;
  return { rows: columns, columns: rows, data: result };
}

/** The sum of the diagonal of a square matrix. */
export function trace({ rows, columns, data }: Matrix): number {
  let sum = 0;
  for (let i = 0; i < rows; i++) sum += data[i * columns + i]!;
  return sum;
}

/** The mean of the rows, `[columns]`. */
export function meanRow({ rows, columns, data }: Matrix): Float64Array {
  const mean = new Float64Array(columns);
  for (let i = 0; i < data.length; i++) mean[i % columns] = mean[i % columns]! + data[i]! / rows;
  return mean;
}

/** Sample covariance of the rows, with divisor n - 1; throws a RangeError for fewer than two. */
export function* covariance(samples: Matrix): Steps<Matrix> {
  const { rows, columns, data } = samples;
  if (rows < 2) throw new RangeError('a covariance takes at least two samples');
  const mean = meanRow(samples);
  const scale = 1 / Math.sqrt(rows - 1);
  const centred = data.map((x, i) => (x - mean[i % columns]!) * scale);
  const axes = transposed({ rows, columns, data: centred });
  return yield* timesTransposed(axes, axes);
}

export interface Eigen {
  /** In no particular order, `[n]`. */
  readonly values: Float64Array;
  /** Row i is the unit eigenvector of value i, `[n, n]`. */
  readonly vectors: Matrix;
}

/** Beside entries of about 1 this is zero, and its square underflows: dividing by it would lose the direction. */
const NOTHING = 1e-150;
/** QR steps each eigenvalue may take; two or three are usual. */
const PATIENCE = 60;
/** What eigenvalues cost, in products of two matrices, by the clock: half for either part. */
const EIGEN = 8;

/** What the eigenvalues of an n x n matrix cost. */
export const eigenCost = (n: number): number => EIGEN * n ** 3;

/**
 * Eigenvalues and eigenvectors of a symmetric matrix: Householder reduction to tridiagonal form, then QR steps with
 * Wilkinson's shift (Golub & Van Loan, Matrix Computations, 8.3). Takes O(n³).
 *
 * @throws RangeError when an entry is not finite.
 */
export function* symmetricEigen(symmetric: Matrix): Steps<Eigen> {
  let largest = 0;
  for (const value of symmetric.data) {
    if (!Number.isFinite(value)) throw new RangeError('a matrix with entries that are not finite has no eigenvalues');
    largest = Math.max(largest, Math.abs(value));
  }
  if (largest === 0) return eigenOfZero(symmetric.rows);
  // Entries of about 1 neither underflow nor overflow when they are squared.
  const { diagonal, side, vectors } = yield* tridiagonal({
    ...symmetric,
    data: symmetric.data.map((value) => value / largest),
  });
  const negligible = (i: number) => Math.abs(side[i]!) <= Number.EPSILON;
  let last = diagonal.length - 1;
  for (let left = PATIENCE * diagonal.length; last > 0; left--) {
    if (left === 0) throw new RangeError('the eigenvalues of a matrix did not converge');
    if (negligible(last - 1)) {
      last--;
      yield (EIGEN / 2) * diagonal.length ** 2;
      continue;
    }
    let first = last - 1;
    while (first > 0 && !negligible(first - 1)) first--;
    qrStep(diagonal, side, vectors, first, last);
  }
  return { values: diagonal.map((value) => value * largest), vectors };
}

function eigenOfZero(n: number): Eigen {
  const identity = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  return { values: new Float64Array(n), vectors: { rows: n, columns: n, data: identity } };
}

interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** The entries beside the diagonal, `[n - 1]`. */
  readonly side: Float64Array;
  /** Qᵀ, where the matrix is Q T Qᵀ. */
  readonly vectors: Matrix;
}

function* tridiagonal({ rows: n, data }: Matrix): Steps<Tridiagonal> {
  const a = data.slice();
  const q = new Float64Array(n * n);
  for (let i = 0; i < n; i++) q[i * n + i] = 1;
  const v = new Float64Array(n);
  const w = new Float64Array(n);
  for (let k = 0; k + 2 < n; k++) {
    // The reflection I - 2 v vᵀ that clears column k below its first neighbour of the diagonal.
    let length = 0;
    for (let i = k + 1; i < n; i++) length = Math.hypot(length, a[i * n + k]!);
    if (length < NOTHING) continue;
    v.fill(0);
    for (let i = k + 1; i < n; i++) v[i] = a[i * n + k]!;
    v[k + 1] = v[k + 1]! + (v[k + 1]! < 0 ? -length : length);
    let size = 0;
    for (let i = k + 1; i < n; i++) size = Math.hypot(size, v[i]!);
    for (let i = k + 1; i < n; i++) v[i] = v[i]! / size;
    reflectBothSides(a, n, v, w, k);
    reflectRows(q, n, v, k);
    yield (EIGEN / 2) * n ** 2;
  }
  return {
    diagonal: Float64Array.from({ length: n }, (_, i) => a[i * n + i]!),
    side: Float64Array.from({ length: Math.max(0, n - 1) }, (_, i) => a[(i + 1) * n + i]!),
    vectors: { rows: n, columns: n, data: q },
  };
}

/** A ← (I - 2vvᵀ) A (I - 2vvᵀ) = A - 2(v wᵀ + w vᵀ) with w = A v - (vᵀ A v) v; v starts at k + 1. */
function reflectBothSides(a: Float64Array, n: number, v: Float64Array, w: Float64Array, k: number): void {
  let along = 0;
  for (let i = k; i < n; i++) {
    let sum = 0;
    for (let j = k + 1; j < n; j++) sum += a[i * n + j]! * v[j]!;
    w[i] = sum;
    along += sum * v[i]!;
  }
  for (let i = k; i < n; i++) w[i] = w[i]! - along * v[i]!;
  for (let i = k; i < n; i++) {
    for (let j = k; j < n; j++) a[i * n + j] = a[i * n + j]! - 2 * (v[i]! * w[j]! + w[i]! * v[j]!);
  }
}

/** Qᵀ ← (I - 2vvᵀ) Qᵀ, row by row. */
function reflectRows(q: Float64Array, n: number, v: Float64Array, k: number): void {
  const along = new Float64Array(n);
  for (let i = k + 1; i < n; i++) for (let j = 0; j < n; j++) along[j] = along[j]! + v[i]! * q[i * n + j]!;
  for (let i = k + 1; i < n; i++) for (let j = 0; j < n; j++) q[i * n + j] = q[i * n + j]! - 2 * v[i]! * along[j]!;
}

/** One implicit QR step on rows first .. last: a rotation starts a bulge, the others chase it out. */
function qrStep(d: Float64Array, e: Float64Array, { columns: n, data: q }: Matrix, first: number, last: number): void {
  const half = (d[last - 1]! - d[last]!) / 2;
  const beside = e[last - 1]!;
  const shift = d[last]! - beside ** 2 / (half + (half < 0 ? -1 : 1) * Math.hypot(half, beside));
  let x = d[first]! - shift;
  let z = e[first]!;
  for (let k = first; k < last; k++) {
    const r = Math.hypot(x, z);
    const [c, s] = r === 0 ? [1, 0] : [x / r, z / r];
    if (k > first) e[k - 1] = r;
    const [upper, lower, off] = [d[k]!, d[k + 1]!, e[k]!];
    d[k] = c * c * upper + 2 * c * s * off + s * s * lower;
    d[k + 1] = s * s * upper - 2 * c * s * off + c * c * lower;
    e[k] = c * s * (lower - upper) + (c * c - s * s) * off;
    x = e[k]!;
    if (k + 1 < last) {
      z = s * e[k + 1]!;
      e[k + 1] = c * e[k + 1]!;
    }
    for (let j = 0; j < n; j++) {
      const [above, below] = [q[k * n + j]!, q[(k + 1) * n + j]!];
      q[k * n + j] = c * above + s * below;
      q[(k + 1) * n + j] = c * below - s * above;
    }
  }
}
