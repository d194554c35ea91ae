/** In which order a model file lists its nodes, and in which order ONNX Runtime then runs them (`scheduling.ts`). */

import { type Node, operandsOf, type Program, schedule } from '../../graph/index.ts';

/** Nodes in an order that respects their operands, with those that nothing reads at the end, the first of them last. */
export function fileOrder(nodes: readonly Node[]): readonly Node[] {
  const isRead = new Set(nodes.flatMap((node) => operandsOf(node).map((operand) => operand.node)));
  return [...nodes.filter((node) => isRead.has(node)), ...nodes.filter((node) => !isRead.has(node)).reverse()];
}

/**
 * The nodes that compute, depth first from the nodes that nothing reads, the latest first, and from each node through
 * its latest operand: which is ONNX Runtime's default order.
 */
export function executionOrder(program: Program): readonly Node[] {
  const nodes = fileOrder(schedule(program)).filter(({ op }) => op !== 'input' && op !== 'constant');
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
