/** Corruption against exact categorical probabilities. */
import { describe, expect, it } from 'vitest';
import { chiSquareZ } from '../../test/support/chi-square.ts';
import { UserError } from '../base/errors.ts';
import { uniforms } from '../random/noise.ts';
import { corrupt } from './corrupt.ts';
import { maskReplaceSchedule, type Schedule } from './process/schedule.ts';

/** A schedule with all three outcomes in sight. */
const schedule = maskReplaceSchedule({ steps: 6, codes: 5, alphaBarEnd: 0.1, gammaBarEnd: 0.6 });

describe('corrupt', () => {
  it.each([0, 2, 5])('spreads evenly spaced uniforms exactly as q(x_t | x_0) at t = %i', (t) => {
    const n = 100_000;
    const grid = Float64Array.from({ length: n }, (_, i) => (i + 0.5) / n);
    const counts = histogram(corrupt(schedule, new Int32Array(n).fill(3), [t], grid), 6);
    exact(schedule, 3, t).forEach((p, k) => {
      // Each outcome owns at most two intervals, each of which misses at most one grid point.
      expect(Math.abs(counts[k]! - n * p)).toBeLessThanOrEqual(2);
    });
  });

  it('draws q(x_t | x_0) from random uniforms', () => {
    const n = 30_000;
    const noise = uniforms({ seed: 1, stream: 'test', step: 0 }, 0, n);
    const counts = histogram(corrupt(schedule, new Int32Array(n).fill(1), [4], noise), 6);
    expect(chiSquareZ(counts, exact(schedule, 1, 4))).toBeLessThan(4.5);
  });

  it('reaches every code in the millionth that the published schedule replaces', () => {
    const published = maskReplaceSchedule({ steps: 100, codes: 4096 });
    const beta = published.betaBar[50]!;
    const centres = Float64Array.from({ length: 4096 }, (_, k) => (k + 0.5) * beta);
    const noisy = corrupt(published, new Int32Array(4096).fill(7), [50], centres);
    expect(noisy.every((code, k) => code === k)).toBe(true);
  });

  it('uses the time of each image', () => {
    const harsh = maskReplaceSchedule({ steps: 2, codes: 3 });
    const noisy = corrupt(harsh, Int32Array.of(0, 1, 2, 0), [0, 1], new Float64Array(4).fill(0.5));
    expect([...noisy]).toEqual([0, 1, 3, 3]);
  });

  it('refuses codes of another codebook and mismatched lengths', () => {
    expect(() => corrupt(schedule, Int32Array.of(5), [0], [0.5])).toThrow(UserError);
    expect(() => corrupt(schedule, Int32Array.of(-1), [0], [0.5])).toThrow(UserError);
    expect(() => corrupt(schedule, Int32Array.of(1, 2), [0], [0.5])).toThrow(RangeError);
    expect(() => corrupt(schedule, Int32Array.of(1, 2, 3), [0, 0], [0.5, 0.5, 0.5])).toThrow(RangeError);
  });
});

function exact({ codes, alphaBar, betaBar, gammaBar }: Schedule, code: number, t: number): number[] {
  const p = new Array<number>(codes + 1).fill(betaBar[t]!);
  p[code] = alphaBar[t]! + betaBar[t]!;
  p[codes] = gammaBar[t]!;
  return p;
}

function histogram(values: Int32Array, classes: number): Float64Array {
  const counts = new Float64Array(classes);
  for (const value of values) counts[value] = counts[value]! + 1;
  return counts;
}
