/** Costs read off small graphs that can be counted by hand. */
import { describe, expect, it } from 'vitest';
import * as g from './index.ts';

describe('programCost', () => {
  it('counts multiply-adds of products and convolutions twice', () => {
    const product = g.trace({ a: g.f32(3, 4, 5), b: g.f32(5, 6) }, ({ a, b }) => ({ y: g.matmul(a, b) }));
    expect(g.programCost(product).flop).toBe(2 * 3 * 4 * 5 * 6);
    const same = g.trace({ x: g.f32(2, 3, 8, 8), w: g.f32(7, 3, 3, 3) }, ({ x, w }) => ({
      y: g.conv2d(x, w, { pads: 1 }),
    }));
    expect(g.programCost(same).flop).toBe(2 * (2 * 7 * 8 * 8) * (3 * 3 * 3));
  });

  it('counts a backward pass: two products of the same size for one', () => {
    const inputs = { x: g.f32(4, 5), w: g.f32(5, 6) };
    const forward = g.trace(inputs, ({ x, w }) => ({ y: g.sum(g.square(g.matmul(x, w))) }));
    const backward = g.trace(inputs, ({ x, w }) => {
      const loss = g.sum(g.square(g.matmul(x, w)));
      return g.grad(loss, { x, w });
    });
    expect(g.programCost(backward).flop).toBe(3 * g.programCost(forward).flop);
  });

  it('holds a tensor from its node to its last reader; views and outputs cost nothing', () => {
    const KB = 256;
    const chain = (fn: (x: g.Tensor) => g.Tensor) =>
      g.programCost(g.trace({ x: g.f32(KB) }, ({ x }) => ({ y: fn(x) })));
    expect(chain((x) => g.exp(x)).workingBytes).toBe(0);
    // One waits while the next is made: never more than two.
    expect(chain((x) => g.exp(g.exp(g.exp(x)))).workingBytes).toBe(2 * 1024);
    expect(chain((x) => g.exp(g.reshape(g.exp(x), [16, 16]))).workingBytes).toBe(1024);
    // Both halves of a sum wait for each other, and a residual waits for the end of its branch.
    expect(chain((x) => g.add(g.exp(x), g.neg(x))).workingBytes).toBe(2 * 1024);
    const residual = (x: g.Tensor) => {
      const start = g.exp(x);
      return g.add(g.exp(g.exp(g.exp(start))), start);
    };
    expect(chain(residual).workingBytes).toBe(3 * 1024);
  });

  it('holds a buffer that a later value of the same shape will take, also in between, as ONNX Runtime does', () => {
    const bytesOf = (other: number) => {
      const inputs = { x: g.f32(256), y: g.f32(other) };
      const program = g.trace(inputs, ({ x, y }) => {
        const first = g.sum(g.exp(x), 0, true);
        const between = g.sum(g.exp(g.add(y, first)), 0, true);
        return { y: g.sum(g.exp(g.add(x, between))) };
      });
      return g.programCost(program).workingBytes;
    };
    // y's two values are there while a buffer of x's shape waits between its first and its second value.
    expect(bytesOf(512)).toBe(2 * 2048 + 1024 + 4);
    // A single one of its shape waits for nothing.
    expect(bytesOf(256)).toBe(2 * 1024 + 4);
  });

  it('leaves out what nothing reads and counts bytes by type', () => {
    expect(g.bytes(g.f32(2, 3))).toBe(24);
    expect(g.bytes({ dtype: 'bool', shape: [5] })).toBe(5);
    expect(g.bytes({ dtype: 'float64', shape: [] })).toBe(8);
  });
});
