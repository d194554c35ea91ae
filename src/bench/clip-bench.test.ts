import { expect, it } from 'vitest';
import { normals } from '../random/noise.ts';
import { distributionGap, nearestRows } from './clip-bench.ts';

const cloud = (stream: string, stretch: (column: number) => number, shift = 0): Float32Array =>
  Float32Array.from(normals({ seed: 3, stream, step: 0 }, 0, 4 * 2000)).map((x, i) => stretch(i % 4) * x + shift);

it('finds the rows of the largest dot product, nearest first', () => {
  const rows = Float32Array.of(1, 0, 0, 1, 0.6, 0.8);
  expect(nearestRows(Float32Array.of(1, 0, 0, 1), rows, 2, 2)).toEqual([
    [0, 2],
    [1, 2],
  ]);
});

it('sees no gap between shapes that differ by a shift and a size alone', () => {
  const one = cloud('a', (column) => 1 + column);
  expect(
    distributionGap(
      one,
      one.map((x) => 3 * x + 5),
      4,
    ),
  ).toBeLessThan(1e-3);
  expect(
    distributionGap(
      one,
      cloud('b', (column) => 1 + column, 7),
      4,
    ),
  ).toBeLessThan(0.1);
});

it('sees clouds in directions that have nothing in common as √2 apart', () => {
  const [first, last] = [cloud('a', (column) => (column < 2 ? 1 : 0)), cloud('b', (column) => (column < 2 ? 0 : 1))];
  expect(distributionGap(first, last, 4)).toBeCloseTo(Math.SQRT2, 2);
});
