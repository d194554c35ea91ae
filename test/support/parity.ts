/**
 * Comparison with the reference: each call asserts, and leaves a row for the table that `npm run parity` prints
 * (`parity-reporter.ts`) in the running test's metadata.
 */
import { expect, TestRunner } from 'vitest';

/** What an error may be: relative · |expected| + ofLargest · max |expected| + absolute. Nothing at all means equality. */
export interface Tolerance {
  readonly relative?: number;
  readonly ofLargest?: number;
  readonly absolute?: number;
}

/** One line of the table. */
export interface ParityRow {
  readonly fixture: string;
  readonly quantity: string;
  /** Largest |got − expected|. */
  readonly absolute: number;
  /** The same as a share of the largest |expected|. */
  readonly relative: number;
  readonly tolerance: string;
  readonly passed: boolean;
}

declare module 'vitest' {
  interface TaskMeta {
    parity?: ParityRow[];
  }
}

/** The fixtures' README for networks. The last term is for numbers that are zero in theory and rounding in practice. */
export const NETWORK: Tolerance = { relative: 1e-3, ofLargest: 1e-4, absolute: 2e-6 };
/** Gradients that are zero in theory: nothing but rounding is compared. */
export const ZERO_GRADIENT: Tolerance = { relative: 1e-3, ofLargest: 1e-4, absolute: 1e-5 };
export const EXACT: Tolerance = {};

/** Numbers of one fixture against the reference's, within a tolerance. NaN never passes; equal infinities do. */
export function compare(
  fixture: string,
  quantity: string,
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
): void {
  expect(got.length, `${fixture}: number of values of ${quantity}`).toBe(expected.length);
  expect(expected.length, `${fixture}: ${quantity} is empty`).toBeGreaterThan(0);
  const { relative = 0, ofLargest = 0, absolute = 0 } = tolerance;
  let largest = 0;
  for (let i = 0; i < expected.length; i++)
    if (Number.isFinite(expected[i]!)) largest = Math.max(largest, Math.abs(expected[i]!));
  let [worst, excess] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const error = got[i] === expected[i] ? 0 : Math.abs(got[i]! - expected[i]!);
    // A NaN must not pass for a small error.
    const size = Number.isNaN(error) ? Infinity : error;
    worst = Math.max(worst, size);
    if (size > 0) excess = Math.max(excess, size - relative * Math.abs(expected[i]!) - ofLargest * largest - absolute);
  }
  const passed = !(excess > 0);
  const shown = worst === 0 ? 0 : worst / largest;
  record({ fixture, quantity, absolute: worst, relative: shown, tolerance: describeTolerance(tolerance), passed });
  expect(
    passed,
    `${fixture}: ${quantity} is ${worst} off, largest value ${largest}: ${describeTolerance(tolerance)}`,
  ).toBe(true);
}

/** Things that are not numbers (texts, lists of positions, shapes) and must be equal. */
export function same(fixture: string, quantity: string, got: unknown, expected: unknown): void {
  const passed = deepEqual(got, expected);
  record({
    fixture,
    quantity,
    absolute: passed ? 0 : Infinity,
    relative: passed ? 0 : Infinity,
    tolerance: 'equal',
    passed,
  });
  expect(got, `${fixture}: ${quantity}`).toEqual(expected);
}

function record(row: ParityRow): void {
  const test = TestRunner.getCurrentTest();
  if (!test) throw new Error('parity is compared inside a test');
  test.meta.parity = [...(test.meta.parity ?? []), row];
}

function describeTolerance({ relative = 0, ofLargest = 0, absolute = 0 }: Tolerance): string {
  const terms = [
    relative > 0 ? `${relative.toExponential()} |x|` : [],
    ofLargest > 0 ? `${ofLargest.toExponential()} max|x|` : [],
    absolute > 0 ? absolute.toExponential() : [],
  ].flat();
  return terms.length > 0 ? terms.join(' + ') : 'equal';
}

function deepEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
