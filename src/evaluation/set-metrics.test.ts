/**
 * Metrics of sets of pictures against second implementations written as the papers define them, and against exact
 * values.
 */

import { describe, expect, it } from 'vitest';
import { finish, type Steps } from '../base/steps.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { integers, normals } from '../random/noise.ts';
import { frechetInterval, kernelInterval } from './feature-distance.ts';
import { inceptionScore } from './inception-score.ts';
import { meanInterval, setInterval } from './interval.ts';
import { memorisation, normalBelow, rankZ } from './memorisation.ts';
import { mindInterval } from './mind.ts';
import { nearestRows, neighbourhoods } from './neighbours.ts';
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

describe('MIND', () => {
  const mind = (...sets: Parameters<typeof mindInterval>) => finish(mindInterval(...sets)).value;

  it('on a line is three times the mean squared difference of sorted values, also where sizes differ', () => {
    const [a, b] = [Float64Array.of(3, 1, 2), Float64Array.of(5, 4, 9)];
    expect(mind(a, b, 1)).toBeCloseTo(9 + 9 + 36, 12);
    const [few, many] = [Float64Array.of(0, 6), Float64Array.of(1, 2, 3)];
    // As six values each: 0 0 0 6 6 6 and 1 1 2 2 3 3.
    expect(mind(few, many, 1)).toBeCloseTo((1 + 1 + 4 + 16 + 9 + 9) / 2, 12);
  });

  it('of a shifted copy is three times the squared length of the shift, and 0 for a set with itself', () => {
    const a = draw(0, 40);
    const shifted = a.map((x, i) => x + [3, 0, 4][i % DIM]!);
    expect(mind(a, shifted, DIM, { directions: 1000 }) / (3 * 25)).toBeCloseTo(1, 1);
    expect(mind(a, a, DIM)).toBe(0);
    expect(mind(a, draw(1, 30), DIM)).toBeCloseTo(mind(draw(1, 30), a, DIM), 10);
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
    const given = finish(neighbourhoods(real, made, DIM, k));
    for (const name of ['precision', 'recall', 'density', 'coverage'] as const)
      expect(given[name].value, name).toBeCloseTo(expected[name], 12);
    expect(expected.precision > 0 && expected.precision < 1).toBe(true);
    expect([given.precision.samples, given.recall.samples]).toEqual([20, 25]);
    expect(given.density.low).toBeLessThan(given.density.value);
    const same = finish(neighbourhoods(real, real, DIM, k));
    for (const name of ['precision', 'recall', 'coverage'] as const) expect(same[name].value, name).toBe(1);
    expect(() => finish(neighbourhoods(draw(0, 3), made, DIM, k))).toThrow(RangeError);
  });

  it('name the nearest row of another set and how far it is', () => {
    const [a, b] = [draw(4, 9), draw(5, 12)];
    const { index, distance } = finish(nearestRows(a, b, DIM));
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
    expect(rankZ(a, b)).toBeCloseTo((u + 0.5 - 15) / Math.sqrt(variance), 12);
    expect(rankZ(b, a)).toBeCloseTo((15.5 - u) / Math.sqrt(variance), 12);
    expect(rankZ([1, 1], [1, 1, 1])).toBe(0);
  });

  it('is certain of copies, and of nothing where pictures are as new as unseen ones', async () => {
    const training = draw(6, 60);
    const heldOut = draw(7, 40);
    const copies = await memorisation(
      training.slice(0, 40 * DIM).map((x) => x + 0.01),
      heldOut,
      training,
      DIM,
    );
    expect(copies.z).toBeLessThan(-5);
    expect(copies.p).toBeLessThan(1e-6);
    expect([...copies.nearest.index]).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect(Math.abs((await memorisation(draw(8, 40), heldOut, training, DIM)).z)).toBeLessThan(3);
    expect([copies.cells.length, copies.worst.z]).toEqual([1, copies.z]);
    expect(copies.samples).toEqual({ made: 40, heldOut: 40, training: 60 });
  });

  it('finds copying in a cell that the rest of the space hides', async () => {
    // Two clusters far apart; in the second, everything generated is a copy, in the first it keeps away from training.
    const at = (sample: number, count: number, shift: number) => draw(sample, count, shift);
    const joined = (...sets: Float32Array[]) => Float32Array.from(sets.flatMap((set) => [...set]));
    const training = joined(at(20, 80, 0), at(21, 80, 50));
    const heldOut = joined(at(22, 80, 0), at(23, 80, 50));
    const made = joined(
      draw(24, 80, 0, 2),
      training.slice(80 * DIM).map((x) => x + 0.01),
    );
    const { z, p, cells, worst } = await memorisation(made, heldOut, training, DIM, 2);
    expect(cells.map((cell) => [cell.made, cell.heldOut])).toEqual([
      [80, 80],
      [80, 80],
    ]);
    const [first, second] = cells.map((cell) => cell.z).sort((a, b) => a - b) as [number, number];
    expect(first).toBeLessThan(-8);
    expect(second).toBeGreaterThan(2);
    expect(z).toBeCloseTo((first + second) / 2, 12);
    expect(p).toBeCloseTo(normalBelow(z * Math.SQRT2), 12);
    expect(worst.z).toBe(first);
    expect(worst.p).toBeCloseTo(2 * normalBelow(first), 12);
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
    const firstMean = (indices: Int32Array) => indices.reduce((sum, i) => sum + rows[i * DIM]!, 0) / indices.length;
    function* inOneStep(indices: Int32Array): Steps<number> {
      yield 1;
      return firstMean(indices);
    }
    const { value, low, high, samples } = finish(setInterval(200, inOneStep, 200));
    expect([value, samples]).toEqual([firstMean(Int32Array.from({ length: 200 }, (_, i) => i)), 200]);
    expect((high + low) / 2).toBeCloseTo(value, 12);
    expect((high - low) / ((2 * 1.96) / Math.sqrt(200))).toBeGreaterThan(0.75);
    expect((high - low) / ((2 * 1.96) / Math.sqrt(200))).toBeLessThan(1.3);
  });

  it.each([
    ['Fréchet', frechetInterval],
    ['kernel', kernelInterval],
    ['MIND', (a: Float32Array, b: Float32Array, dim: number) => mindInterval(a, b, dim, { directions: 32 })],
  ] as const)('of the distance %s are as wide as it varies from one set of pictures to the next', (_, interval) => {
    const real = draw(30, 150, 0.5);
    const values = Array.from({ length: 50 }, (_, i) => finish(interval(draw(100 + i, 80, 0, 0.8), real, DIM)).value);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1));
    const { low, high } = finish(interval(draw(100, 80, 0, 0.8), real, DIM));
    expect((high - low) / (2 * 1.96 * deviation)).toBeGreaterThan(0.6);
    expect((high - low) / (2 * 1.96 * deviation)).toBeLessThan(1.6);
  });
});

describe('the Inception score', () => {
  it('is the number of classes for sure and even answers, and 1 for equal ones', () => {
    const sure = Float64Array.from({ length: 100 * 5 }, (_, i) => (i % 5 === Math.floor(i / 5) % 5 ? 50 : 0));
    expect(inceptionScore(sure, 5).value).toBeCloseTo(5, 6);
    expect(inceptionScore(sure, 5)).toMatchObject({ samples: 100, parts: 10 });
    expect(inceptionScore(new Float64Array(100 * 5), 5).value).toBeCloseTo(1, 12);
  });

  it('is exp of the mean divergence in each part', () => {
    const logits = normals({ seed: 4, stream: 'is', step: 0 }, 0, 40 * 3);
    const rows = Array.from({ length: 40 }, (_, i) => {
      const powers = [0, 1, 2].map((k) => Math.exp(logits[3 * i + k]!));
      return powers.map((x) => x / (powers[0]! + powers[1]! + powers[2]!));
    });
    const scores = Array.from({ length: 10 }, (_, part) => {
      const own = rows.slice(4 * part, 4 * part + 4);
      const mean = [0, 1, 2].map((k) => own.reduce((sum, row) => sum + row[k]! / 4, 0));
      return Math.exp(
        own.reduce((sum, row) => sum + row.reduce((kl, x, k) => kl + x * Math.log(x / mean[k]!), 0) / 4, 0),
      );
    });
    expect(inceptionScore(logits, 3).value).toBeCloseTo(scores.reduce((a, b) => a + b, 0) / 10, 9);
  });
});
