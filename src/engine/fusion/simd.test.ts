/** Loops in WebAssembly against the same arithmetic in JavaScript, at sizes that do not fill a vector or a block. */

import { describe, expect, it } from 'vitest';
import { normals } from '../../random/noise.ts';
import type { LoopOp } from './plan.ts';
import { compileLoop } from './simd.ts';

const draw = (stream: string, n: number) => Float32Array.from(normals({ seed: 3, stream, step: 0 }, 0, n));

const definitions: Readonly<Record<LoopOp, (a: number, b: number) => number>> = {
  neg: (a) => -a,
  abs: (a) => Math.abs(a),
  sqrt: (a) => Math.sqrt(a),
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  maximum: (a, b) => Math.max(a, b),
  minimum: (a, b) => Math.min(a, b),
};

describe('compileLoop', () => {
  for (const [op, definition] of Object.entries(definitions) as [LoopOp, (a: number, b: number) => number][])
    it(`computes ${op} of arrays as its definition does, rounded to float32`, () => {
      const binary = definition.length === 2;
      const operands = [{ step: 0 }, ...(binary ? [{ step: 1 }] : [])];
      const steps = [{ load: 0 }, { load: 1 }, { op, operands }];
      const loop = compileLoop({
        steps,
        stores: [{ array: 2, value: { step: 2 } }],
        arrays: ['a', 'b', 'c'],
        scalars: [],
      });
      const [a, b] = [draw('a', 7).map(op === 'sqrt' ? Math.abs : (x) => x), draw('b', 7)];
      const c = new Float32Array(7);
      loop([], [a, b, c]);
      expect([...c]).toEqual([...a].map((x, i) => Math.fround(definition(x, b[i]!))));
    });

  // One element, not quite a vector, a vector, around a block, more than two blocks.
  for (const n of [1, 3, 4, 8191, 8192, 8193, 20_003])
    it(`goes over all of ${n} elements and no further, with scalars, and reads before it writes`, () => {
      // a, b ← 2b, a − 0.5
      const steps = [
        { load: 0 },
        { load: 1 },
        { op: 'mul', operands: [{ step: 1 }, { scalar: 0 }] },
        { op: 'sub', operands: [{ step: 0 }, { scalar: 1 }] },
      ] as const;
      const stores = [
        { array: 0, value: { step: 2 } },
        { array: 1, value: { step: 3 } },
      ];
      const loop = compileLoop({ steps, stores, arrays: ['a', 'b'], scalars: [5, 9] });
      const [a, b] = [draw('a', n + 4), draw('b', n + 4)];
      const before = [a.slice(), b.slice()] as const;
      loop([2, 0.5], [a.subarray(0, n), b.subarray(0, n)]);
      expect(a.subarray(n)).toEqual(before[0].subarray(n));
      expect(a.subarray(0, n)).toEqual(before[1].subarray(0, n).map((x) => 2 * x));
      expect(b.subarray(0, n)).toEqual(before[0].subarray(0, n).map((x) => x - 0.5));
    });
});
