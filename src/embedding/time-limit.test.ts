import { expect, it } from 'vitest';
import { within } from './time-limit.ts';

const late = () => new Error('too late');

it('gives what a job returns and throws', () => {
  expect(within(1000, () => [1, 2], late)).toEqual([1, 2]);
  expect(() => within(1000, () => Number.parseInt.call(undefined, Symbol() as never), late)).toThrow(TypeError);
});

it('ends a regular expression that would take years', () => {
  const text = `${'a'.repeat(60)}!`;
  expect(() => within(50, () => /^(a+)+$/.test(text), late)).toThrow('too late');
  expect(within(1000, () => 'still alive', late)).toBe('still alive');
});
