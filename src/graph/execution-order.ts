/** The order in which ONNX Runtime runs a graph: not that of the file. What is alive together, and so the peak of memory, follows from it. */

import type { Node, Tensor } from './tensor.ts';
import { type Program, schedule } from './trace.ts';

/** The operands that a node reads when it runs; what stands in for a gradient is only read by the tracer. */
export const operandsOf = ({ op, inputs }: Node): readonly Tensor[] =>
  op === 'withGradient' ? inputs.slice(0, 1) : inputs;

/**
 * The nodes that compute, depth first from the nodes that nothing reads, the latest first, and from each node through its latest
 * operand: what ONNX Runtime's default order comes to. So a weight's gradient waits for the end of the backward pass, and what it is
 * made from waits with it.
 */
export function executionOrder(program: Program): readonly Node[] {
  const nodes = schedule(program).filter(({ op }) => op !== 'input' && op !== 'constant');
  const place = new Map(nodes.map((node, at) => [node, at]));
  const isRead = new Set(nodes.flatMap((node) => operandsOf(node).map((operand) => operand.node)));
  const stack = nodes.filter((node) => !isRead.has(node)).map((node) => ({ node, isDone: false }));
  const seen = new Set<Node>();
  const order: Node[] = [];
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { node, isDone } = next;
    if (isDone) order.push(node);
    else if (!seen.has(node)) {
      seen.add(node);
      stack.push({ node, isDone: true });
      const before = new Set(operandsOf(node).map((operand) => operand.node));
      const known = [...before].filter((one) => place.has(one));
      for (const one of known.sort((a, b) => place.get(a)! - place.get(b)!)) stack.push({ node: one, isDone: false });
    }
  }
  return order;
}
