/** Eigen decompositions put back together, and degenerate matrices. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { finish } from '../base/steps.ts';
import { covariance, type Matrix, matrix, symmetricEigen, timesTransposed, transposed } from './linear-algebra.ts';

/** Symmetric, with repeated and zero entries often. */
const symmetric = fc.integer({ min: 1, max: 9 }).chain((n) =>
  fc
    .array(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double({ min: -1e3, max: 1e3, noNaN: true })), {
      minLength: n * n,
      maxLength: n * n,
    })
    .map((values) =>
      matrix(
        values.map((_, i) => values[Math.min(i, (i % n) * n + Math.floor(i / n))]!),
        n,
      ),
    ),
);

function expectDecomposition(a: Matrix): void {
  const { values, vectors } = finish(symmetricEigen(a));
  const n = a.rows;
  const size = Math.max(...a.data.map(Math.abs));
  const columns = transposed(vectors);
  const scaled = { ...columns, data: columns.data.map((v, i) => v * values[i % n]!) };
  finish(timesTransposed(scaled, columns)).data.forEach((x, i) => {
    expect(Math.abs(x - a.data[i]!)).toBeLessThanOrEqual(1e-12 * size * n + 1e-320);
  });
  finish(timesTransposed(vectors, vectors)).data.forEach((x, i) => {
    expect(Math.abs(x - (i % (n + 1) === 0 ? 1 : 0))).toBeLessThan(1e-13 * n);
  });
}

describe('symmetricEigen', () => {
  it('gives orthonormal vectors that rebuild the matrix', () => {
    fc.assert(fc.property(symmetric, expectDecomposition));
  });

  it('knows the eigenvalues of the second difference, 2 − 2 cos(πk/(n+1))', () => {
    const n = 40;
    const stencil = matrix(
      Array.from({ length: n * n }, (_, i) => ({ 0: 2, 1: -1 })[Math.abs(Math.floor(i / n) - (i % n))] ?? 0),
      n,
    );
    const values = finish(symmetricEigen(stencil)).values.toSorted();
    values.forEach((value, k) => {
      expect(value).toBeCloseTo(2 - 2 * Math.cos((Math.PI * (k + 1)) / (n + 1)), 12);
    });
  });

  it.each([
    ['zero', [0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['identity', [1, 0, 0, 0, 1, 0, 0, 0, 1]],
    ['rank one', [1, 2, 3, 2, 4, 6, 3, 6, 9]],
    ['smallest', [5e-324, 0, 5e-324, 0, 0, 5e-324, 5e-324, 5e-324, 0]],
    ['nearly diagonal', [1, 1e-200, 0, 1e-200, 1, 1e-300, 0, 1e-300, 1]],
    ['nearly reduced', [-1, 0, 5e-324, 0, 0, 0, 5e-324, 0, 0]],
    ['huge', [1e300, 1e299, 0, 1e299, 1e300, 1e300, 0, 1e300, -1e300]],
  ])('survives the %s matrix', (_, values) => expectDecomposition(matrix(values, 3)));
});

it('refuses matrices that are not finite', () => {
  expect(() => finish(symmetricEigen(matrix([1, Number.NaN, Number.NaN, 1], 2)))).toThrow(RangeError);
});

describe('covariance', () => {
  it('is 2 for two samples at distance 2, and needs two', () => {
    expect([...finish(covariance(matrix([0, 5, 2, 5], 2))).data]).toEqual(
      [2, 0, 0, 0].map((x) => expect.closeTo(x, 12)),
    );
    expect(() => finish(covariance(matrix([1, 2], 2)))).toThrow(RangeError);
    expect(() => matrix([1, 2, 3], 2)).toThrow(RangeError);
  });
});
