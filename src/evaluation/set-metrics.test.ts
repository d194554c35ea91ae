/**
 * Metrics of sets of pictures against second implementations written as the papers define them, and against exact
 * values.
 */

import { describe, expect, it } from 'vitest';
import type { RgbImage } from '../data/pictures/image.ts';
import { integers, normals } from '../random/noise.ts';
import { meanInterval, setInterval } from './interval.ts';
import { memorisation, normalBelow, rankZ } from './memorisation.ts';
import { nearestRows, neighbourhoods } from './neighbours.ts';
import { slicedWasserstein, squaredWasserstein1d } from './sliced-wasserstein.ts';
import { ssim } from './ssim.ts';

const DIM = 3;
const draw = (sample: number, count: number, shift = 0, scale = 1) =>
  Float32Array.from(normals({ seed: 3, stream: 'sets', step: 0 }, sample, count * DIM), (x) => shift + scale * x);
const rowsOf = (data: Float32Array) =>
  Array.from({ length: data.length / DIM }, (_, i) => [...data.subarray(i * DIM, (i + 1) * DIM)]);
const apart = (a: number[], b: number[]) => Math.hypot(...a.map((x, i) => x - b[i]!));

describe('SSIM', () => {
  const picture = (sample: number, width: number, height: number): RgbImage => ({
    width,
    height,
    data: Uint8Array.from(integers({ seed: 1, stream: 'ssim', step: 0 }, sample, 3 * width * height, 256)),
  });

  /** By its definition: every window in two dimensions, weighted means and (co)variances about them. */
  function naive(a: RgbImage, b: RgbImage): number {
    const size = Math.min(11, a.width, a.height);
    const middle = (size - 1) / 2;
    const weights: number[] = [];
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++) weights.push(Math.exp(-((x - middle) ** 2 + (y - middle) ** 2) / 4.5));
    const sum = weights.reduce((p, q) => p + q, 0);
    const values: number[] = [];
    for (let c = 0; c < 3; c++)
      for (let top = 0; top + size <= a.height; top++)
        for (let left = 0; left + size <= a.width; left++) {
          const at = (image: RgbImage) =>
            weights.map((_, i) => image.data[3 * ((top + Math.floor(i / size)) * a.width + left + (i % size)) + c]!);
          const mean = (of: number[]) => of.reduce((p, value, i) => p + (weights[i]! / sum) * value, 0);
          const [x, y] = [at(a), at(b)];
          const [mx, my] = [mean(x), mean(y)];
          const [vx, vy] = [mean(x.map((p) => (p - mx) ** 2)), mean(y.map((p) => (p - my) ** 2))];
          const covariance = mean(x.map((p, i) => (p - mx) * (y[i]! - my)));
          const [c1, c2] = [6.5025, 58.5225];
          values.push(((2 * mx * my + c1) * (2 * covariance + c2)) / ((mx ** 2 + my ** 2 + c1) * (vx + vy + c2)));
        }
    return values.reduce((p, q) => p + q, 0) / values.length;
  }

  it.each([
    [16, 13],
    [11, 11],
    [7, 9],
  ])('of pictures of %i x %i is that of its definition', (width, height) => {
    const [a, b] = [picture(0, width, height), picture(1, width, height)];
    const close = { ...a, data: a.data.map((x, i) => Math.min(255, x + (i % 7))) };
    expect(ssim(a, b)).toBeCloseTo(naive(a, b), 10);
    expect(ssim(a, close)).toBeCloseTo(naive(a, close), 10);
    expect(ssim(a, a)).toBe(1);
    expect(() => ssim(a, picture(2, width + 1, height))).toThrow(RangeError);
  });
});

describe('the sliced Wasserstein distance', () => {
  it('on a line is the mean squared difference of sorted values, also where sizes differ', () => {
    const [a, b] = [Float64Array.of(3, 1, 2), Float64Array.of(5, 4, 9)];
    expect(squaredWasserstein1d(a, b)).toBeCloseTo((9 + 9 + 36) / 3, 12);
    const [few, many] = [Float64Array.of(0, 6), Float64Array.of(1, 2, 3)];
    // As six values each: 0 0 0 6 6 6 and 1 1 2 2 3 3.
    expect(squaredWasserstein1d(few, many)).toBeCloseTo((1 + 1 + 4 + 16 + 9 + 9) / 6, 12);
  });

  it('of a shifted copy is the length of the shift over the root of the dimensions, and 0 for a set with itself', () => {
    const a = draw(0, 40);
    const shifted = a.map((x, i) => x + [3, 0, 4][i % DIM]!);
    expect(slicedWasserstein(a, shifted, DIM, { directions: 4000 })).toBeCloseTo(5 / Math.sqrt(3), 1);
    expect(slicedWasserstein(a, a, DIM)).toBe(0);
    expect(slicedWasserstein(a, draw(1, 30), DIM)).toBeCloseTo(slicedWasserstein(draw(1, 30), a, DIM), 12);
  });
});

describe('neighbourhoods', () => {
  it('have the precision, recall, density and coverage of their definitions', () => {
    const k = 3;
    const [real, made] = [draw(2, 25), draw(3, 20, 0.7, 0.8)];
    const [R, M] = [rowsOf(real), rowsOf(made)];
    const radius = (set: number[][], i: number) =>
      set
        .filter((_, j) => j !== i)
        .map((row) => apart(row, set[i]!))
        .sort((a, b) => a - b)[k - 1]!;
    const inReal = (m: number[]) => R.filter((r, i) => apart(r, m) <= radius(R, i)).length;
    const expected = {
      precision: M.filter((m) => inReal(m) > 0).length / M.length,
      recall: R.filter((r) => M.some((m, j) => apart(r, m) <= radius(M, j))).length / R.length,
      density: M.reduce((sum, m) => sum + inReal(m), 0) / (k * M.length),
      coverage: R.filter((r, i) => M.some((m) => apart(r, m) <= radius(R, i))).length / R.length,
    };
    const given = neighbourhoods(real, made, DIM, k);
    for (const name of ['precision', 'recall', 'density', 'coverage'] as const)
      expect(given[name], name).toBeCloseTo(expected[name], 12);
    expect(expected.precision > 0 && expected.precision < 1).toBe(true);
    expect(neighbourhoods(real, real, DIM, k)).toMatchObject({ precision: 1, recall: 1, coverage: 1 });
    expect(() => neighbourhoods(draw(0, 3), made, DIM, k)).toThrow(RangeError);
  });

  it('name the nearest row of another set and how far it is', () => {
    const [a, b] = [draw(4, 9), draw(5, 12)];
    const { index, distance } = nearestRows(a, b, DIM);
    rowsOf(a).forEach((row, i) => {
      const distances = rowsOf(b).map((other) => apart(row, other));
      expect(index[i]).toBe(distances.indexOf(Math.min(...distances)));
      expect(distance[i]).toBeCloseTo(Math.min(...distances), 6);
    });
  });
});

describe('memorisation', () => {
  it('has the Z of the Mann-Whitney test, counted pair by pair, with ties', () => {
    const [a, b] = [
      [1, 2, 2, 5, 7],
      [2, 3, 4, 5, 8, 9],
    ];
    const u = a.flatMap((x) => b.map((y) => (x > y ? 1 : x === y ? 0.5 : 0) as number)).reduce((p, q) => p + q, 0);
    // Three 2s and two 5s are tied.
    const variance = ((5 * 6) / 12) * (12 - (24 + 6) / (11 * 10));
    expect(rankZ(a, b)).toBeCloseTo((u - 15) / Math.sqrt(variance), 12);
    expect(rankZ(b, a)).toBeCloseTo(-rankZ(a, b), 12);
    expect(rankZ([1, 1], [1, 1, 1])).toBe(0);
  });

  it('is certain of copies, and of nothing where pictures are as new as unseen ones', () => {
    const training = draw(6, 60);
    const heldOut = draw(7, 40);
    const copies = memorisation(
      training.slice(0, 40 * DIM).map((x) => x + 0.01),
      heldOut,
      training,
      DIM,
    );
    expect(copies.z).toBeLessThan(-5);
    expect(copies.p).toBeLessThan(1e-6);
    expect([...copies.nearest.index]).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect(Math.abs(memorisation(draw(8, 40), heldOut, training, DIM).z)).toBeLessThan(3);
    expect(copies.samples).toEqual({ made: 40, heldOut: 40, training: 60 });
  });

  it.each([
    [0, 0.5],
    [1, 0.8413447460685429],
    [-1.959963984540054, 0.025],
    [-5, 2.866515718791939e-7],
  ])('the normal probability below %d is %d', (z, p) => {
    expect(Math.abs(normalBelow(z) - p)).toBeLessThan(1e-7);
  });
});

describe('intervals', () => {
  it('of a mean hold 1.96 standard errors about it, and narrow with the root of the samples', () => {
    const values = normals({ seed: 9, stream: 'interval', step: 0 }, 0, 400);
    const { value, low, high, samples } = meanInterval(values);
    const mean = values.reduce((a, b) => a + b, 0) / 400;
    const error = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / 400 / 400);
    expect([value, samples]).toEqual([mean, 400]);
    expect((high - low) / (2 * 1.96 * error)).toBeGreaterThan(0.9);
    expect((high - low) / (2 * 1.96 * error)).toBeLessThan(1.1);
    expect(meanInterval([2, 2, 2])).toEqual({ value: 2, low: 2, high: 2, samples: 3 });
    expect(() => meanInterval([])).toThrow(RangeError);
  });

  it('of a number of a set lie about its value, as wide as the number varies over resampled sets', () => {
    const rows = draw(10, 200);
    const firstMean = (set: Float32Array) => rowsOf(set).reduce((sum, row) => sum + row[0]!, 0) / (set.length / DIM);
    const { value, low, high, samples } = setInterval(rows, DIM, firstMean, 200);
    expect([value, samples]).toEqual([firstMean(rows), 200]);
    expect((high + low) / 2).toBeCloseTo(value, 12);
    expect((high - low) / ((2 * 1.96) / Math.sqrt(200))).toBeGreaterThan(0.75);
    expect((high - low) / ((2 * 1.96) / Math.sqrt(200))).toBeLessThan(1.3);
  });
});
