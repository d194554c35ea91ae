/**
 * The samplers for few steps: what is exact is checked against enumeration, what is claimed of the share of masks by
 * counting.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chiSquareZ } from '../../../test/support/chi-square.ts';
import { guidanceAt } from '../guidance.ts';
import { marginal, maskReplaceSchedule } from '../process/schedule.ts';
import { cosineCounts } from './counts.ts';
import { halton, haltonOrder, radicalInverse } from './halton.ts';
import { remask, remasking, revealedAt } from './remask.ts';
import type { Denoiser, SamplerProgress } from './sampler.ts';
import { placedPlan, strided, timeOf } from './strided.ts';

const K = 2;
const T = 40;
const schedule = maskReplaceSchedule({
  steps: T,
  codes: K,
  alphaBarStart: 0.99999,
  alphaBarEnd: 0.000009,
  gammaBarStart: 0.000009,
  gammaBarEnd: 0.99999,
});

/** A joint distribution of four tokens that depend on each other: p(x) by the number whose bits they are. */
const N = 4;
const joint = Float64Array.from({ length: K ** N }, (_, x) => 1 + ((x * 7) % 5) + (x === 0 || x === 15 ? 9 : 0));
const total = joint.reduce((a, b) => a + b, 0);
const probability = Array.from(joint, (p) => p / total);
const bit = (x: number, l: number): number => (x >> l) & 1;

/** The exact p(x_0 | visible tokens), token by token. */
const exact: Denoiser = async (tokens) => {
  const out = new Float32Array(tokens.length * K);
  for (let b = 0; b * N < tokens.length; b++) {
    const visible = tokens.subarray(b * N, (b + 1) * N);
    const fits = probability.map((p, x) => (visible.every((token, l) => token === K || token === bit(x, l)) ? p : 0));
    const whole = fits.reduce((a, p) => a + p, 0);
    for (let l = 0; l < N; l++)
      for (let k = 0; k < K; k++)
        out[(b * N + l) * K + k] = Math.log(fits.reduce((a, p, x) => a + (bit(x, l) === k ? p : 0), 0) / whole + 1e-30);
  }
  return out;
};

const BATCH = 6000;
const options = <More extends object>(steps: number, more?: More) => ({
  schedule,
  batch: BATCH,
  tokens: N,
  steps,
  truncation: undefined,
  noise: { seed: 3, samples: Array.from({ length: BATCH }, (_, i) => i) },
  ...(more as More),
});
const counted = (tokens: Int32Array): number[] => {
  const counts = new Array<number>(K ** N).fill(0);
  for (let b = 0; b * N < tokens.length; b++)
    counts[tokens.subarray(b * N, (b + 1) * N).reduce((x, token, l) => x | (token << l), 0)]!++;
  return counts;
};

describe('halton', () => {
  it('one token a step draws the exact joint distribution', async () => {
    expect(chiSquareZ(counted(await halton(exact, options(N))), probability)).toBeLessThan(5);
  });

  it('all at once draws the product of the marginals', async () => {
    const marginals = Array.from({ length: N }, (_, l) => probability.reduce((a, p, x) => a + p * bit(x, l), 0));
    const product = probability.map((_, x) =>
      marginals.reduce((a, one, l) => a * (bit(x, l) === 1 ? one : 1 - one), 1),
    );
    const drawn = counted(await halton(exact, options(1)));
    expect(chiSquareZ(drawn, product)).toBeLessThan(5);
    expect(chiSquareZ(drawn, probability)).toBeGreaterThan(20);
  });

  it('visits every cell once, far from the last ones, from any start', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 16 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (side, right, down) => {
          expect([...haltonOrder(side, right, down)].sort((a, b) => a - b)).toEqual(
            Array.from({ length: side ** 2 }, (_, i) => i),
          );
        },
      ),
    );
    // Of the first sixteen of 8x8 cells, each quadrant holds four.
    const quadrants = [0, 0, 0, 0];
    for (const cell of haltonOrder(8).subarray(0, 16)) quadrants[2 * Number(cell >= 32) + Number(cell % 8 >= 4)]!++;
    for (const count of quadrants) expect(Math.abs(count - 4)).toBeLessThanOrEqual(1);
    expect([0, 1, 2, 3, 4, 5].map((i) => radicalInverse(i, 2))).toEqual([0, 0.5, 0.25, 0.75, 0.125, 0.625]);
    expect(radicalInverse(5, 3)).toBeCloseTo(2 / 3 + 1 / 9, 12);
  });

  it('reveals few tokens first and many later, all in the end, at least one a step', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(), (tokens, n) => {
        const counts = cosineCounts(tokens, 1 + (n % tokens));
        expect(counts.reduce((a, b) => a + b, 0)).toBe(tokens);
        expect(Math.min(...counts)).toBeGreaterThanOrEqual(1);
      }),
    );
    expect(cosineCounts(64, 8)).toEqual([1, 3, 6, 8, 10, 11, 12, 13]);
    expect(() => cosineCounts(4, 5)).toThrow(/a whole number from 1 to 4/);
  });
});

describe('remask', () => {
  it('keeps the share of masks at every time, whatever σ', async () => {
    for (const cap of [0, 0.1, 1]) {
      const steps = 8;
      await remask(exact, {
        ...options(steps, { remasking: cap }),
        onStep: ({ tokens, time }: SamplerProgress) => {
          const masked = tokens.filter((token) => token === K).length;
          const expected = time < 0 ? 0 : tokens.length * (1 - revealedAt(schedule, time));
          // Binomial: five standard deviations.
          expect(Math.abs(masked - expected)).toBeLessThanOrEqual(
            5 * Math.sqrt(tokens.length) * 0.5 * Number(time >= 0),
          );
        },
      });
    }
  });

  it('leaves the marginals of each token right, and in many steps the joint nearly', async () => {
    const drawn = counted(await remask(exact, options(T, { remasking: 0.1 })));
    const distance = drawn.reduce((sum, count, x) => sum + Math.abs(count / BATCH - probability[x]!), 0) / 2;
    // Sampling noise alone makes about 0.02; drawing all at once is off by 0.25.
    expect(distance).toBeLessThan(0.05);
  });

  it('is a probability within its bound, and without σ the plain step', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(share, share, share, (a, b, cap) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const step = remasking({ from, to }, cap);
        expect(step.remask).toBeGreaterThanOrEqual(0);
        expect(step.remask).toBeLessThanOrEqual(cap);
        expect(step.reveal).toBeGreaterThanOrEqual(0);
        expect(step.reveal).toBeLessThanOrEqual(1 + 1e-9);
        if (from < 1) expect((1 - from) * (1 - step.reveal) + from * step.remask).toBeCloseTo(1 - to, 9);
      }),
    );
    expect(remasking({ from: 0.5, to: 0.75 }, 0)).toEqual({ remask: 0, reveal: 0.5 });
  });
});

describe('strided', () => {
  it('with even times draws what ancestral sampling draws, and with a cosine other times', () => {
    const even = placedPlan(schedule, 5);
    expect(even.map(({ from }) => from)).toEqual([39, 31, 23, 15, 7]);
    const cosine = placedPlan(schedule, 5, 'cosine');
    expect(cosine.at(-1)!.to).toBe(-1);
    expect(cosine.map(({ from }) => from)).toEqual([39, 37, 32, 23, 12]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: T }), (steps) => {
        const times = placedPlan(schedule, steps, 'cosine');
        expect(times).toHaveLength(steps);
        for (const { from, to } of times) expect(to).toBeLessThan(from);
      }),
    );
    for (const time of [0, 1, 17, T - 1]) expect(timeOf(schedule, marginal(schedule, time).gamma)).toBe(time);
  });

  it('at any placement a single token is drawn from its distribution', async () => {
    const one: Denoiser = async (tokens) =>
      Float32Array.from({ length: tokens.length * K }, (_, i) => Math.log(i % K === 0 ? 0.3 : 0.7));
    for (const placement of ['even', 'cosine'] as const) {
      const drawn = await strided(one, options(6, { placement }));
      const ones = drawn.reduce((a, b) => a + b, 0);
      expect(Math.abs(ones - 0.7 * drawn.length)).toBeLessThan(5 * Math.sqrt(0.21 * drawn.length));
    }
  });
});

it('guides as strongly as is asked at each time, and not at all outside its interval', () => {
  const at = (t: number, more: object = {}) =>
    guidanceAt({ guidanceScale: 3, guidanceSchedule: 'constant', guidanceFrom: 0, guidanceUntil: 1, ...more }, t, 101);
  expect([at(100), at(50), at(0)]).toEqual([3, 3, 3]);
  const rising = { guidanceSchedule: 'rising' };
  expect([at(100, rising), at(50, rising), at(0, rising)]).toEqual([1, 2, 3]);
  expect(at(75, { guidanceSchedule: 'falling' })).toBeCloseTo(2.5, 9);
  const middle = { guidanceFrom: 0.25, guidanceUntil: 0.75 };
  expect([at(90, middle), at(60, middle), at(10, middle)]).toEqual([1, 3, 1]);
});
