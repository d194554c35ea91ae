import { expect, it } from 'vitest';
import { editDistance, nearest } from './nearest.ts';

it('counts letters that are inserted, left out, replaced or swapped', () => {
  expect([editDistance('', 'abc'), editDistance('modle', 'model'), editDistance('kitten', 'sitting')]).toEqual([
    3, 1, 3,
  ]);
});

it('finds the nearest name, and none where all are far', () => {
  expect(nearest('--modle', ['--mask', '--model', '--out'])).toBe('--model');
  expect(nearest('LAYERS', ['layers', 'heads'])).toBe('layers');
  expect(nearest('xyz', ['layers', 'heads'])).toBeUndefined();
  expect(nearest('a'.repeat(1e6), ['layers'])).toBeUndefined();
});
