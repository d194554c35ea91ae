/** Memory of values read off small graphs that can be counted by hand. */

import { describe, expect, it } from 'vitest';
import * as g from '../../graph/index.ts';
import { bufferPeak } from './buffers.ts';

describe('bufferPeak', () => {
  it('holds a tensor from its node to its last reader; views and outputs cost nothing', () => {
    const KB = 256;
    const chain = (fn: (x: g.Tensor) => g.Tensor) => bufferPeak(g.trace({ x: g.f32(KB) }, ({ x }) => ({ y: fn(x) })));
    expect(chain((x) => g.exp(x))).toBe(0);
    // One waits while the next is made: never more than two.
    expect(chain((x) => g.exp(g.exp(g.exp(x))))).toBe(2 * 1024);
    expect(chain((x) => g.exp(g.reshape(g.exp(x), [16, 16])))).toBe(1024);
    // Both halves of a sum wait for each other, and a residual waits for the end of its branch.
    expect(chain((x) => g.add(g.exp(x), g.neg(x)))).toBe(2 * 1024);
    const residual = (x: g.Tensor) => {
      const start = g.exp(x);
      return g.add(g.exp(g.exp(g.exp(start))), start);
    };
    expect(chain(residual)).toBe(3 * 1024);
  });

  it('holds a buffer that a later value of the same shape will take, also in between, as ONNX Runtime does', () => {
    const bytesOf = (other: number) => {
      const inputs = { x: g.f32(256), y: g.f32(other) };
      const program = g.trace(inputs, ({ x, y }) => {
        const first = g.sum(g.exp(x), 0, true);
        const between = g.sum(g.exp(g.add(y, first)), 0, true);
        return { y: g.sum(g.exp(g.add(x, between))) };
      });
      return bufferPeak(program);
    };
    // y's two values are there while a buffer of x's shape waits between its first and its second value.
    expect(bytesOf(512)).toBe(2 * 2048 + 1024 + 4);
    // A single one of its shape waits for nothing.
    expect(bytesOf(256)).toBe(2 * 1024 + 4);
  });
});
