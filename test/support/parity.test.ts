/** The parity harness must be able to fail: comparisons, the rows they leave, and the verdict of the table. */
import { describe, expect, it } from 'vitest';
import { compare, EXACT, type ParityRow, same } from './parity.ts';
import { parityTable } from './parity-table.ts';

describe('compare', () => {
  it.each([
    ['an error beyond the tolerance', [1, 2.1], [1, 2], { absolute: 0.05 }],
    ['NaN', [1, Number.NaN], [1, 2], { absolute: 10 }],
    ['NaN where NaN is stored', [Number.NaN], [Number.NaN], { absolute: 10 }],
    ['an infinity', [Infinity], [-Infinity], { absolute: 10 }],
    ['too few numbers', [1], [1, 1], EXACT],
    ['nothing at all', [], [], EXACT],
    ['the smallest difference where equality is asked', [1 + Number.EPSILON], [1], EXACT],
  ])('refuses %s', (_, got, expected, tolerance) => {
    expect(() => compare('harness', 'refused', got, expected, tolerance)).toThrow(/harness/);
  });

  it('adds up the terms of a tolerance, and leaves a row in the test', ({ task }) => {
    compare('harness', 'numbers', [10.15, -Infinity], [10, -Infinity], {
      relative: 0.01,
      ofLargest: 0.004,
      absolute: 0.02,
    });
    same('harness', 'texts', ['a'], ['a']);
    const [numbers, texts] = task.meta.parity!;
    expect(numbers).toMatchObject({ quantity: 'numbers', passed: true, tolerance: '1e-2 |x| + 4e-3 max|x| + 2e-2' });
    expect(numbers!.absolute).toBeCloseTo(0.15, 12);
    expect(numbers!.relative).toBeCloseTo(0.015, 12);
    expect(texts).toMatchObject({ quantity: 'texts', passed: true, absolute: 0, tolerance: 'equal' });
    expect(() => same('harness', 'other texts', ['a'], ['b'])).toThrow(/harness/);
  });
});

describe('parityTable', () => {
  const row: ParityRow = { fixture: 'a', quantity: 'q', absolute: 0.5, relative: 0.25, tolerance: '1', passed: true };
  const files = { a: ['a.json'], b: ['b.json'] };
  const there = () => true;

  it('passes when everything is there, checked and equal; the worst of a quantity counts', () => {
    const rows = [row, { ...row, absolute: 2, relative: null }, { ...row, fixture: 'b' }];
    const { text, passed } = parityTable(files, rows, there);
    expect(passed).toBe(true);
    expect(text.split('\n').slice(1, 3)).toEqual([
      'ok  a        q         2.0e+0      -           1',
      'ok  b        q         5.0e-1      2.5e-1      1',
    ]);
  });

  it.each([
    ['a difference', [row, { ...row, passed: false }, { ...row, fixture: 'b' }], there, /FAILED +a +q/],
    ['a fixture that nothing compares', [row], there, /UNCHECKED +b/],
    ['a missing file', [row, { ...row, fixture: 'b' }], (file: string) => file !== 'b.json', /MISSING +b +b.json/],
    [
      'a difference in an unknown fixture',
      [row, { ...row, fixture: 'b' }, { ...row, fixture: 'c', passed: false }],
      there,
      /FAILED +c/,
    ],
  ])('does not pass with %s', (_, rows, isPresent, line) => {
    const { text, passed } = parityTable(files, rows, isPresent);
    expect(passed).toBe(false);
    expect(text).toMatch(line);
  });
});
