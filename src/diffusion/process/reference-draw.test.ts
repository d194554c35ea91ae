/** The official draw at the ends of the unit interval. */
import { describe, expect, it } from 'vitest';
import { gumbelArgmax } from './reference-draw.ts';

describe('gumbelArgmax', () => {
  it('survives the ends of the unit interval', () => {
    expect(gumbelArgmax([-1, -1, -1], [0, 1, 0.5])).toBe(1);
    expect(gumbelArgmax([0, -1], [0.5, 0.5])).toBe(0);
  });
});
