/** Clustering, and the codebook made from it, against brute force. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normals } from '../random/noise.ts';
import { codebookFrom } from './codebook.ts';
import { kmeans } from './kmeans.ts';

const key = { seed: 7, stream: 'test/kmeans', step: 0 };

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0);
const rowsOf = (data: Float32Array, dim: number): Float32Array[] =>
  Array.from({ length: data.length / dim }, (_, i) => data.subarray(i * dim, (i + 1) * dim));

/** `each` points around every one of `k` far corners. */
function blobs(k: number, each: number, dim: number): { points: Float32Array; means: number[][] } {
  const noise = normals({ seed: 1, stream: 'test/blobs', step: 0 }, 0, k * each * dim);
  const points = Float32Array.from(
    noise,
    (z, at) => 0.1 * z + 100 * (Math.floor(at / dim) % k) * (at % dim === 0 ? 1 : -1),
  );
  const means = Array.from({ length: k }, (_, c) =>
    Array.from(
      { length: dim },
      (_, d) =>
        Array.from({ length: each }, (_, i) => points[(i * k + c) * dim + d]!).reduce((a, b) => a + b, 0) / each,
    ),
  );
  return { points, means };
}

describe('kmeans', () => {
  it('finds clusters that are far apart, each centre at the mean of its points', async () => {
    const { points, means } = blobs(6, 40, 3);
    const { centres, meanSquare } = await kmeans(points, 3, 6, 4, key);
    const found = rowsOf(centres, 3).sort((a, b) => a[0]! - b[0]!);
    means.forEach((mean, c) => {
      expect(distance(found[c]!, mean)).toBeLessThan(1e-6);
    });
    const within = rowsOf(points, 3).reduce((sum, point, i) => sum + distance(point, means[i % 6]!), 0) / 240;
    expect(meanSquare / within).toBeCloseTo(1, 3);
  });

  it('never does worse with more iterations', async () => {
    const points = Float32Array.from(normals({ seed: 3, stream: 'test/points', step: 0 }, 0, 600));
    const errors = [];
    for (const iterations of [1, 2, 4, 8]) errors.push((await kmeans(points, 2, 12, iterations, key)).meanSquare);
    for (let i = 1; i < errors.length; i++) expect(errors[i]!).toBeLessThanOrEqual(errors[i - 1]!);
    expect(errors.at(-1)!).toBeLessThan(errors[0]!);
  });

  it('makes every point a centre when there are as many, and survives fewer distinct points than centres', async () => {
    const points = Float32Array.of(0, 0, 5, 5, -3, 1, 2, -8);
    const all = await kmeans(points, 2, 4, 2, key);
    expect(all.meanSquare).toBe(0);
    const doubled = await kmeans(Float32Array.of(1, 2, 1, 2, 1, 2), 2, 3, 2, key);
    expect([...doubled.centres]).toEqual([1, 2, 1, 2, 1, 2]);
  });
});

describe('codebookFrom', () => {
  it('gives logits that fall with the squared distance from the code, 15 to the mean one', async () => {
    const dim = 4;
    const latents = Float32Array.from(normals({ seed: 5, stream: 'test/latents', step: 0 }, 0, 400 * dim));
    const { embed, proj } = await codebookFrom(latents, dim, 20, key);
    const codes = rowsOf(embed.weight.data as Float32Array, dim);
    const { meanSquare } = await kmeans(latents, dim, 20, 10, key);
    const logit = (z: readonly number[], k: number) =>
      z.reduce((sum, x, d) => sum + x * proj.weight.data[k * dim + d]!, proj.bias.data[k]!);
    fc.assert(
      fc.property(fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: dim, maxLength: dim }), (z) => {
        for (let k = 1; k < codes.length; k++) {
          const expected = (15 / meanSquare) * (distance(z, codes[0]!) - distance(z, codes[k]!));
          expect(Math.abs(logit(z, k) - logit(z, 0) - expected)).toBeLessThan(1e-3);
        }
      }),
    );
  });
});
