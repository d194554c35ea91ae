/**
 * `after` spelled out for a runtime that orders nodes by their operands alone (`scheduling.ts`): a zero made of what
 * comes first.
 */

import {
  add,
  apply,
  cast,
  mul,
  type Node,
  type Program,
  reshape,
  schedule,
  slice,
  type Tensor,
} from '../../graph/index.ts';

/**
 * A program without `after` that computes the same. All nodes are made anew, in the order in which they were made
 * before.
 */
export function spelledOut(program: Program): Program {
  const nodes = schedule(program);
  if (nodes.every(({ op }) => op !== 'after')) return program;
  const anew = new Map<Tensor, Tensor>();
  const of = (t: Tensor): Tensor => anew.get(t) ?? t;
  for (const node of nodes) {
    const { op, outputs } = node;
    if (op === 'input' || op === 'constant') continue;
    const made = op === 'after' ? [withZeroOf(of(node.inputs[0]!), of(node.inputs[1]!))] : copied(node, of);
    outputs.forEach((output, i) => {
      anew.set(output, made[i]!);
    });
  }
  const outputs = Object.entries(program.outputs).map(([path, t]) => [path, of(t)] as const);
  return { inputs: program.inputs, outputs: Object.fromEntries(outputs) };
}

const copied = ({ op, inputs, attributes }: Node, of: (t: Tensor) => Tensor): readonly Tensor[] =>
  apply(op, inputs.map(of), attributes);

/** x + 0 · (the first element of `first`). */
function withZeroOf(x: Tensor, first: Tensor): Tensor {
  const element = slice(reshape(first, [-1]), 0, 0, 1);
  return add(x, mul(cast(x.rank === 0 ? reshape(element, []) : element, x.dtype), 0));
}
