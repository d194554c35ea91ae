/** The diffusion as plain Markov chain matrices: a second implementation to hold the closed forms against. */
import fc from 'fast-check';
import { maskReplaceSchedule, type Schedule } from '../../src/diffusion/process/schedule.ts';

export type Matrix = number[][];

/** Valid schedules of every kind: any end points, K from 1, T from 2. */
export const anySchedule: fc.Arbitrary<Schedule> = fc
  .record({
    steps: fc.integer({ min: 2, max: 8 }),
    codes: fc.integer({ min: 1, max: 6 }),
    alphaBarStart: fc.double({ min: 0.3, max: 0.99, noNaN: true }),
    masked: fc.double({ min: 0.01, max: 1, noNaN: true }),
    gammaBarEnd: fc.double({ min: 0.75, max: 1, noNaN: true }),
    kept: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
  })
  .map(({ steps, codes, alphaBarStart, masked, gammaBarEnd, kept }) => {
    const gammaBarStart = masked * (1 - alphaBarStart);
    // Unmasked tokens may only lose their code with time.
    const alphaBarEnd = (1 - gammaBarEnd) * kept * (alphaBarStart / (1 - gammaBarStart));
    return maskReplaceSchedule({ steps, codes, alphaBarStart, alphaBarEnd, gammaBarStart, gammaBarEnd });
  });

/** q(x_t = column | x_s = row), `[K + 1, K + 1]`, as the product of the one-step matrices s+1 .. t. */
export function matrixPower(schedule: Schedule, s: number, t: number): Matrix {
  const size = schedule.codes + 1;
  let product: Matrix = range(size).map((i) => range(size).map((j) => (i === j ? 1 : 0)));
  for (let u = s + 1; u <= t; u++) product = multiply(product, oneStep(schedule, u));
  return product;
}

/** Bayes by enumeration: p(x_s | x_t) = sum_{x_0} q(x_t | x_s) q(x_s | x_0) / q(x_t | x_0) p(x_0), `[K + 1]`. */
export function bayes(schedule: Schedule, s: number, t: number, token: number, predicted: readonly number[]): number[] {
  const before = matrixPower(schedule, -1, s);
  const between = matrixPower(schedule, s, t);
  const after = matrixPower(schedule, -1, t);
  return range(schedule.codes + 1).map((k) =>
    predicted.reduce((sum, p, x0) => sum + (p * between[k]![token]! * before[x0]![k]!) / after[x0]![token]!, 0),
  );
}

function oneStep({ codes, alpha, beta, gamma }: Schedule, t: number): Matrix {
  return range(codes + 1).map((i) =>
    range(codes + 1).map((j) => {
      if (i === codes) return j === codes ? 1 : 0;
      if (j === codes) return gamma[t]!;
      return beta[t]! + (i === j ? alpha[t]! : 0);
    }),
  );
}

function multiply(a: Matrix, b: Matrix): Matrix {
  return a.map((row) => range(b.length).map((j) => row.reduce((sum, value, i) => sum + value * b[i]![j]!, 0)));
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
