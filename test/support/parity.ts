/**
 * Comparison with the reference: each call asserts, and leaves a row for the table that `npm run parity` prints
 * (`parity-reporter.ts`) in the running test's metadata.
 */
import { isDeepStrictEqual } from 'node:util';
import { expect, TestRunner } from 'vitest';

/**
 * What an error may be: relative · |expected| + ofLargest · max |expected| + absolute. Nothing at all means equality.
 */
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
  /** The same as a share of the largest |expected|; null where that is zero. */
  readonly relative: number | null;
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
  const finite = (value: number) => (Number.isFinite(value) ? Math.abs(value) : 0);
  let largest = 0;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, finite(expected[i]!));
  let worst = 0;
  let passed = true;
  for (let i = 0; i < expected.length; i++) {
    const difference = got[i] === expected[i] ? 0 : Math.abs(got[i]! - expected[i]!);
    // A NaN must not pass for a small error.
    const error = Number.isNaN(difference) ? Infinity : difference;
    worst = Math.max(worst, error);
    passed &&= error <= relative * finite(expected[i]!) + ofLargest * largest + absolute;
  }
  const share = largest === 0 ? null : worst / largest;
  record({ fixture, quantity, absolute: worst, relative: share, tolerance: describeTolerance(tolerance), passed });
  expect(
    passed,
    `${fixture}: ${quantity} is ${worst} off, largest value ${largest}: ${describeTolerance(tolerance)}`,
  ).toBe(true);
}

/** Things that are not numbers (texts, lists of positions, shapes) and must be equal. */
export function same(fixture: string, quantity: string, got: unknown, expected: unknown): void {
  const passed = isDeepStrictEqual(got, expected);
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
    { share: relative, of: ' |x|' },
    { share: ofLargest, of: ' max|x|' },
    { share: absolute, of: '' },
  ].filter(({ share }) => share > 0);
  return terms.map(({ share, of }) => `${Number(share.toPrecision(2)).toExponential()}${of}`).join(' + ') || 'equal';
}
