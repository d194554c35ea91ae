/** Costs read off small graphs that can be counted by hand. */
import { describe, expect, it } from 'vitest';
import { bytes } from '../base/ndarray.ts';
import * as g from './index.ts';

describe('countFlop', () => {
  it('counts multiply-adds of products and convolutions twice', () => {
    const product = g.trace({ a: g.f32(3, 4, 5), b: g.f32(5, 6) }, ({ a, b }) => ({ y: g.matmul(a, b) }));
    expect(g.countFlop(product)).toBe(2 * 3 * 4 * 5 * 6);
    const same = g.trace({ x: g.f32(2, 3, 8, 8), w: g.f32(7, 3, 3, 3) }, ({ x, w }) => ({
      y: g.conv2d(x, w, { pads: 1 }),
    }));
    expect(g.countFlop(same)).toBe(2 * (2 * 7 * 8 * 8) * (3 * 3 * 3));
  });

  it('counts a backward pass: two products of the same size for one', () => {
    const inputs = { x: g.f32(4, 5), w: g.f32(5, 6) };
    const forward = g.trace(inputs, ({ x, w }) => ({ y: g.sum(g.square(g.matmul(x, w))) }));
    const backward = g.trace(inputs, ({ x, w }) => {
      const loss = g.sum(g.square(g.matmul(x, w)));
      return g.grad(loss, { x, w });
    });
    expect(g.countFlop(backward)).toBe(3 * g.countFlop(forward));
  });
});

describe('bytes', () => {
  it('counts by type', () => {
    expect(bytes(g.f32(2, 3))).toBe(24);
    expect(bytes({ dtype: 'bool', shape: [5] })).toBe(5);
    expect(bytes({ dtype: 'float64', shape: [] })).toBe(8);
  });
});
