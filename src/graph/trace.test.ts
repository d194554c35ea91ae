/**
 * What becomes of a program's nodes: which of them are needed, in which order, and what two rearrangements in a row
 * come to.
 */

import { describe, expect, it } from 'vitest';
import * as g from './index.ts';
import { schedule } from './trace.ts';

const x = g.f32(2, 3, 4);
const opsOf = (program: g.Program) => schedule(program).map(({ op }) => op);

describe('schedule', () => {
  const program = g.trace({ x, w: g.f32(4) }, ({ x, w }) => {
    const first = g.mul(x, w);
    const second = g.exp(first);
    return { second: g.neg(second), first: g.abs(first), both: g.add(first, second) };
  });
  const nodes = schedule(program);

  it('puts each node behind its operands', () => {
    nodes.forEach((node, at) => {
      for (const operand of node.inputs) expect(nodes.indexOf(operand.node)).toBeLessThan(at);
    });
  });

  it('leaves out what only a gradient by hand would read', () => {
    const byHand = g.trace({ x }, ({ x }) => ({ y: g.withGradient(g.neg(x), [g.exp(x)], (gradient) => [gradient]) }));
    expect(opsOf(byHand)).toEqual(['input', 'neg', 'withGradient']);
  });
});

describe('rearrangements in a row', () => {
  it('become one', () => {
    const program = g.trace({ x }, ({ x }) => ({
      shaped: g.reshape(g.reshape(x, [6, 4]), [3, 8]),
      turned: g.transpose(g.transpose(x, [1, 2, 0]), [1, 2, 0]),
    }));
    expect(opsOf(program).sort()).toEqual(['input', 'reshape', 'transpose']);
    expect(program.outputs.turned!.shape).toEqual([4, 2, 3]);
    expect(program.outputs.turned!.node.attributes).toEqual({ order: [2, 0, 1] });
  });

  it('are none where they come back to what was there', () => {
    const program = g.trace({ x }, ({ x }) => ({
      shaped: g.reshape(g.reshape(x, [6, 4]), [2, 3, 4]),
      turned: g.transpose(g.transpose(x, [1, 2, 0]), [2, 0, 1]),
    }));
    expect(opsOf(program)).toEqual(['input']);
  });
});
