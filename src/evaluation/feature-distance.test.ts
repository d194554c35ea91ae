/** Distances of Gaussians whose answer is known, and the limits of the inception score. */
import { describe, expect, it } from 'vitest';
import { inceptionScore } from '../../test/reference/inception-score.ts';
import { finish } from '../base/steps.ts';
import { normals } from '../random/noise.ts';
import { frechetDistance, kernelInterval } from './feature-distance.ts';

const DIM = 3;
const draw = (sample: number, count: number, scale = 1, shift = 0) =>
  normals({ seed: 5, stream: 'test', step: 0 }, sample, count * DIM).map((x) => shift + scale * x);

describe('frechetDistance', () => {
  it('of scaled and shifted copies is |shift|² + Σ (σ₀ − σ₁)², exactly', () => {
    const a = draw(0, 50);
    const scaled = a.map((x) => 3 * x + 2);
    const [mean, total] = [0, 1, 2].reduce(
      ([m, v], j) => {
        const column = Array.from({ length: 50 }, (_, i) => a[i * DIM + j]!);
        const mu = column.reduce((s, x) => s + x, 0) / 50;
        const variance = column.reduce((s, x) => s + (x - mu) ** 2, 0) / 49;
        return [m + (2 * mu + 2) ** 2, v + variance] as [number, number];
      },
      [0, 0] as [number, number],
    );
    // S₁ = 9 S₀, so that tr S₀ + 9 tr S₀ − 2·3 tr S₀ = 4 tr S₀.
    expect(finish(frechetDistance(a, scaled, DIM))).toBeCloseTo(mean + 4 * total, 9);
  });

  it('is symmetric and zero for a set with itself', () => {
    const [a, b] = [draw(0, 40), draw(1, 30, 2, 1)];
    expect(finish(frechetDistance(a, b, DIM))).toBeCloseTo(finish(frechetDistance(b, a, DIM)), 9);
    expect(finish(frechetDistance(a, a, DIM))).toBeCloseTo(0, 9);
  });
});

describe('kernelInterval', () => {
  const kernelDistance = (...sets: Parameters<typeof kernelInterval>) => finish(kernelInterval(...sets)).value;

  it('is unbiased: near zero, of either sign, for one distribution, and large for two', () => {
    const same = Array.from({ length: 20 }, (_, i) => kernelDistance(draw(2 * i, 40), draw(2 * i + 1, 40), DIM));
    expect(same.some((value) => value < 0) && same.some((value) => value > 0)).toBe(true);
    expect(kernelDistance(draw(0, 40), draw(1, 40, 1, 2), DIM)).toBeGreaterThan(10 * Math.max(...same.map(Math.abs)));
    expect(() => kernelDistance([1, 2, 3], draw(0, 4), DIM)).toThrow(RangeError);
  });
});

describe('inceptionScore', () => {
  it('is the number of classes for sure and even predictions, 1 for predictions that are all alike', () => {
    const sure = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    expect(inceptionScore(sure, 3, 1).mean).toBeCloseTo(3, 12);
    expect(inceptionScore([0.2, 0.8, 0.2, 0.8], 2, 2)).toMatchObject({ mean: 1, std: 0 });
    expect(() => inceptionScore(sure, 3, 4)).toThrow(RangeError);
  });
});
