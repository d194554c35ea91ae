import { describe, expect, it } from 'vitest';
import * as g from '../../graph/index.ts';
import { executionOrder, fileOrder } from './order.ts';

const program = g.trace({ x: g.f32(2, 3, 4), w: g.f32(4) }, ({ x, w }) => {
  const first = g.mul(x, w);
  const second = g.exp(first);
  return { second: g.neg(second), first: g.abs(first), both: g.add(first, second) };
});
const opsOf = (nodes: readonly g.Node[]) => nodes.map(({ op }) => op);

describe('the order of a model file', () => {
  const nodes = fileOrder(g.schedule(program));

  it('puts each node behind its operands', () => {
    nodes.forEach((node, at) => {
      for (const operand of node.inputs) expect(nodes.indexOf(operand.node)).toBeLessThan(at);
    });
  });

  it('ends with what nothing reads, the first of it last', () => {
    expect(opsOf(nodes).slice(-3)).toEqual(['add', 'abs', 'neg']);
  });
});

it('execution begins with the last result of the file and with what it needs', () => {
  expect(opsOf(executionOrder(program))).toEqual(['mul', 'exp', 'neg', 'abs', 'add']);
});
