/** What a program costs, read off its graph: arithmetic of its contractions, and memory while it runs. */

import { sizeOf } from '../ndarray.ts';
import { executionOrder, operandsOf } from './execution-order.ts';
import type { Node, Primitive, Spec, Tensor } from './tensor.ts';
import { type Program, schedule } from './trace.ts';

export interface ProgramCost {
  /** Floating-point operations of matrix products and convolutions, a multiply-add counting two, as they are executed. */
  readonly flop: number;
  /**
   * The most that tensors between inputs and outputs hold at once, in bytes, if each lives from its node to its last reader and
   * nodes run in ONNX Runtime's order.
   */
  readonly workingBytes: number;
}

export function programCost(program: Program): ProgramCost {
  const nodes = schedule(program);
  const flop = nodes.reduce((sum, node) => sum + flopOf(node), 0);
  return { flop, workingBytes: peak(program, executionOrder(program)) };
}

function flopOf({ op, inputs, outputs }: Node): number {
  const [a, b] = inputs;
  if (op === 'matmul') return 2 * sizeOf(outputs[0]!.shape) * a!.shape.at(-1)!;
  if (op === 'conv2d') return 2 * sizeOf(outputs[0]!.shape) * sizeOf(b!.shape.slice(1));
  if (op === 'convTranspose2d') return 2 * sizeOf(a!.shape) * sizeOf(b!.shape.slice(1));
  return 0;
}

/** Views and leaves need no memory of their own. */
const FREE: ReadonlySet<Primitive> = new Set<Primitive>(['input', 'constant', 'reshape', 'withGradient']);

function peak({ outputs }: Program, nodes: readonly Node[]): number {
  const root = (tensor: Tensor): Tensor => {
    let t = tensor;
    while (t.node.op === 'reshape' || t.node.op === 'withGradient') t = t.node.inputs[0]!;
    return t;
  };
  const lastUse = new Map<Tensor, number>();
  nodes.forEach((node, at) => {
    for (const operand of operandsOf(node)) lastUse.set(root(operand), at);
  });
  // The caller's buffers take the outputs.
  const kept = new Set(Object.values(outputs).map(root));
  const ends = new Map<number, number>();
  let [held, most] = [0, 0];
  nodes.forEach((node, at) => {
    if (!FREE.has(node.op))
      for (const output of node.outputs) {
        const last = lastUse.get(output);
        if (kept.has(output) || last === undefined) continue;
        held += bytes(output);
        ends.set(last, (ends.get(last) ?? 0) + bytes(output));
      }
    most = Math.max(most, held);
    held -= ends.get(at) ?? 0;
  });
  return most;
}

/** Bytes of a tensor. */
export const bytes = ({ shape, dtype }: Spec): number =>
  sizeOf(shape) * { float32: 4, float64: 8, int32: 4, bool: 1 }[dtype];
