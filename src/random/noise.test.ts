/** Noise: pure in its key, prefix-stable, and distributed as promised (fixed seeds, thresholds far in the tails). */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import {
  gumbelBatch,
  integers,
  type NoiseKey,
  normalBatch,
  normals,
  permutation,
  uniformBatch,
  uniforms,
} from './noise.ts';
import { philox4x32 } from './philox.ts';

const KEY: NoiseKey = { seed: 20240320, stream: 'test', step: 7 };
const N = 200_000;

const gumbels = (key: NoiseKey, sample: number, count: number): Float64Array =>
  Float64Array.from(gumbelBatch(key, [sample], count));

function mean(xs: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < xs.length; i++) sum += xs[i]!;
  return sum / xs.length;
}

/** The mean of (x − centre)^power. */
function moment(xs: Float64Array, centre: number, power: number): number {
  return mean(xs.map((x) => (x - centre) ** power));
}

function correlation(a: Float64Array, b: Float64Array): number {
  const [ma, mb] = [mean(a), mean(b)];
  return mean(a.map((x, i) => (x - ma) * (b[i]! - mb))) / Math.sqrt(moment(a, ma, 2) * moment(b, mb, 2));
}

/** Pearson's statistic in standard deviations of its chi-square law: (X² − df) / sqrt(2 df). */
function chiSquareScore(counts: ArrayLike<number>): number {
  const expected = mean(counts);
  let statistic = 0;
  for (let i = 0; i < counts.length; i++) statistic += (counts[i]! - expected) ** 2 / expected;
  const degrees = counts.length - 1;
  return (statistic - degrees) / Math.sqrt(2 * degrees);
}

function histogram(cells: Iterable<number>, size: number): Float64Array {
  const counts = new Float64Array(size);
  for (const cell of cells) counts[cell] = counts[cell]! + 1;
  return counts;
}

const anyKey = fc.record({
  seed: fc.maxSafeNat(),
  stream: fc.string(),
  step: fc.integer({ min: 0, max: 0xffffffff }),
});
const anySample = fc.integer({ min: 0, max: 0xffffffff });

describe('the mapping from key to bits', () => {
  it('is Philox of (block, sample, step, stream hash) under the seed: a change would orphan every saved run', () => {
    const hash = (text: string): number =>
      Number([...Buffer.from(text)].reduce((h, byte) => ((h ^ BigInt(byte)) * 16777619n) % 2n ** 32n, 2166136261n));
    expect(hash('foobar')).toBe(0xbf9cf968); // FNV's published vector
    const words = new Uint32Array(4);
    const seed = 2 ** 40 + 5;
    philox4x32(words, 1, 42, 9, hash('uniform/réel'), 5, 2 ** 8);
    const expected = (high: number, low: number): number =>
      Number(((BigInt(high) << 32n) | BigInt(low)) >> 11n) / 2 ** 53;
    const got = uniforms({ seed, stream: 'réel', step: 9 }, 42, 4);
    expect(got[2]).toBe(expected(words[0]!, words[1]!));
    expect(got[3]).toBe(expected(words[2]!, words[3]!));
    philox4x32(words, 1, 42, 9, hash('gumbel/réel'), 5, 2 ** 8);
    const gumbel = -Math.log(-Math.log(expected(words[0]!, words[1]!)));
    expect(gumbels({ seed, stream: 'réel', step: 9 }, 42, 4)[2]).toBe(Math.fround(gumbel));
  });
});

describe('purity', () => {
  it.each([
    ['uniforms', uniforms],
    ['normals', normals],
    ['gumbels', gumbels],
    ['integers', (key: NoiseKey, sample: number, count: number) => integers(key, sample, count, 1_500_000_000)],
  ])('%s: the first k draws do not depend on count', (_, draw) => {
    fc.assert(
      fc.property(anyKey, anySample, fc.nat(40), fc.nat(40), (key, sample, a, b) => {
        const short = draw(key, sample, Math.min(a, b));
        expect(short).toEqual(draw(key, sample, Math.max(a, b)).slice(0, short.length));
      }),
    );
  });

  it.each([
    ['normalBatch', normalBatch, normals],
    ['gumbelBatch', gumbelBatch, gumbels],
    ['uniformBatch', uniformBatch, uniforms],
  ])('%s: a row belongs to its sample index, wherever it stands in the batch', (_, batch, draw) => {
    fc.assert(
      fc.property(anyKey, fc.array(anySample, { maxLength: 5 }), fc.nat(9), (key, samples, rowSize) => {
        const rows = batch(key, samples, rowSize);
        expect(rows.length).toBe(samples.length * rowSize);
        samples.forEach((sample, i) => {
          expect(rows.slice(i * rowSize, (i + 1) * rowSize)).toEqual(Float32Array.from(draw(key, sample, rowSize)));
        });
      }),
    );
  });

  it('changes with every part of the key', () => {
    const variants = [
      uniforms(KEY, 0, 8),
      uniforms(KEY, 1, 8),
      uniforms({ ...KEY, step: 8 }, 0, 8),
      uniforms({ ...KEY, stream: 'tesu' }, 0, 8),
      uniforms({ ...KEY, seed: KEY.seed + 1 }, 0, 8),
      uniforms({ ...KEY, seed: KEY.seed + 2 ** 32 }, 0, 8),
    ];
    expect(new Set(variants.flatMap((draws) => [...draws])).size).toBe(8 * variants.length);
  });

  it('gives the same normals on every platform, to float32', () => {
    const bytes = new Uint8Array(normalBatch(KEY, [0, 1, 2, 3], 4096).buffer);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      '3703ad7a7f335eb8f129ee2e552909c055d749e2f8d6ceb5449472c0a6dd5f11',
    );
  });

  it('draws other numbers for samples that differ above 32 bits only', () => {
    const samples = [7, 7 + 2 ** 32, 7 + 2 ** 33, 7 + 2 ** 52, Number.MAX_SAFE_INTEGER];
    expect(new Set(samples.map((sample) => uniforms(KEY, sample, 4).join())).size).toBe(samples.length);
    for (const bad of [-1, 0.5, 2 ** 53, Number.NaN]) expect(() => uniforms(KEY, bad, 1)).toThrow(RangeError);
  });

  it('refuses keys outside the counter', () => {
    for (const seed of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => uniforms({ ...KEY, seed }, 0, 1)).toThrow(UserError);
    }
    for (const bad of [-1, 0.5, 2 ** 32, Number.NaN]) {
      expect(() => uniforms({ ...KEY, step: bad }, 0, 1)).toThrow(RangeError);
      expect(() => integers(KEY, 0, 1, bad)).toThrow(RangeError);
    }
  });
});

describe('distributions', () => {
  it('uniforms: moments, chi-square over 1000 cells, serial pairs over 32 x 32 cells', () => {
    const draws = uniforms(KEY, 0, N);
    expect(Math.abs(mean(draws) - 1 / 2)).toBeLessThan(4 * Math.sqrt(1 / 12 / N));
    expect(Math.abs(moment(draws, 1 / 2, 2) - 1 / 12)).toBeLessThan(4 * Math.sqrt(1 / 180 / N));
    expect(
      Math.abs(
        chiSquareScore(
          histogram(
            draws.map((u) => Math.floor(u * 1000)),
            1000,
          ),
        ),
      ),
    ).toBeLessThan(4);
    const pairs = Array.from({ length: N / 2 }, (_, i) => [draws[2 * i]!, draws[2 * i + 1]!] as const);
    const cells = pairs.map(([u, v]) => Math.floor(u * 32) * 32 + Math.floor(v * 32));
    expect(Math.abs(chiSquareScore(histogram(cells, 1024)))).toBeLessThan(4);
  });

  it('uniforms: the low bits are random too', () => {
    const lowByte = uniforms(KEY, 1, N).map((u) => (u * 2 ** 53) % 256);
    expect(Math.abs(chiSquareScore(histogram(lowByte, 256)))).toBeLessThan(4);
  });

  it('uniforms stay under 1 when rounded to float32', () => {
    // One draw in 2^25 would round up to 1; this sample holds one, found by search.
    const sample = 163_175;
    expect(Math.fround(uniforms(KEY, sample, 3)[2]!)).toBe(1);
    expect(uniformBatch(KEY, [sample], 3)[2]).toBe(1 - 2 ** -24);
  });

  it('normals: moments to the fourth, tail mass, no correlation of neighbours', () => {
    const draws = normals(KEY, 0, N);
    expect(Math.abs(mean(draws))).toBeLessThan(4 / Math.sqrt(N));
    expect(Math.abs(moment(draws, 0, 2) - 1)).toBeLessThan(4 * Math.sqrt(2 / N));
    expect(Math.abs(moment(draws, 0, 3))).toBeLessThan(4 * Math.sqrt(15 / N));
    expect(Math.abs(moment(draws, 0, 4) - 3)).toBeLessThan(4 * Math.sqrt(96 / N));
    const beyondTwo = draws.filter((x) => Math.abs(x) > 2).length / N;
    expect(Math.abs(beyondTwo - 0.0455003)).toBeLessThan(4 * Math.sqrt(0.0455 / N));
    expect(Math.abs(correlation(draws.slice(0, -1), draws.slice(1)))).toBeLessThan(4 / Math.sqrt(N));
  });

  it('gumbels: mean is Euler’s constant, variance π²/6, distribution function exp(−exp(−x))', () => {
    const draws = gumbels(KEY, 0, N);
    const variance = Math.PI ** 2 / 6;
    expect(Math.abs(mean(draws) - 0.5772156649)).toBeLessThan(4 * Math.sqrt(variance / N));
    // The fourth central moment is 5.4 variance², so the sample variance has deviation variance · sqrt(4.4 / N).
    expect(Math.abs(moment(draws, 0.5772156649, 2) - variance)).toBeLessThan(4 * variance * Math.sqrt(4.4 / N));
    const cells = draws.map((x) => Math.floor(Math.exp(-Math.exp(-x)) * 100));
    expect(Math.abs(chiSquareScore(histogram(cells, 100)))).toBeLessThan(4);
  });

  it('integers: unbiased even where a modulo would favour small numbers threefold', () => {
    const below = 3 * 2 ** 29;
    const draws = integers(KEY, 0, N, below);
    expect(
      Math.abs(
        chiSquareScore(
          histogram(
            draws.map((n) => Math.floor(n / 2 ** 23)),
            192,
          ),
        ),
      ),
    ).toBeLessThan(4);
    expect(Math.abs(chiSquareScore(histogram(integers(KEY, 1, N, 7), 7)))).toBeLessThan(4);
    expect(integers(KEY, 2, 5, 1)).toEqual(new Int32Array(5));
  });

  it('permutation: always a permutation, all 120 orders of 5 items equally likely', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(1000), fc.nat(200), (seed, epoch, n) => {
        const order = permutation(seed, 'shuffle', epoch, n);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
      }),
    );
    const counts = new Map<string, number>();
    for (let epoch = 0; epoch < 24_000; epoch++) {
      const order = permutation(3, 'shuffle', epoch, 5).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(120);
    expect(Math.abs(chiSquareScore([...counts.values()]))).toBeLessThan(4);
  });

  it('streams, samples, steps and kinds of draw are uncorrelated', () => {
    const base = uniforms(KEY, 0, N);
    const others = [
      uniforms({ ...KEY, stream: 'other' }, 0, N),
      uniforms(KEY, 1, N),
      uniforms({ ...KEY, step: KEY.step + 1 }, 0, N),
      uniforms({ ...KEY, seed: KEY.seed + 1 }, 0, N),
      normals(KEY, 0, N),
      gumbels(KEY, 0, N),
    ];
    for (const other of others) expect(Math.abs(correlation(base, other))).toBeLessThan(4 / Math.sqrt(N));
  });
});
