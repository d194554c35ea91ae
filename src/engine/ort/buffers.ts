/** How ONNX Runtime lays out the values of a program in memory: the buffers that values share (`scheduling.ts`). */

import { bytes } from '../../base/ndarray.ts';
import { operandsOf, type Primitive, type Program, type Tensor } from '../../graph/index.ts';
import { executionOrder } from './order.ts';

/** Values that are another value under another shape or name. */
const VIEWS: ReadonlySet<Primitive> = new Set<Primitive>(['reshape', 'withGradient']);

function root(tensor: Tensor): Tensor {
  let t = tensor;
  while (VIEWS.has(t.node.op)) t = t.node.inputs[0]!;
  return t;
}

interface Block {
  readonly kind: string;
  readonly size: number;
  readonly from: number;
  until: number;
}

/**
 * Bytes of all buffers at the worst moment. ONNX Runtime decides before it runs: a value takes the buffer of a dead
 * value of the same shape and type where there is one, and such a buffer is held from its first value to its last, also
 * in between. The caller's buffers take the outputs. Operators that write over their operand are not counted on.
 */
export function bufferPeak(program: Program): number {
  const nodes = executionOrder(program);
  const given = new Set(Object.values(program.outputs).map(root));
  const lastUse = new Map<Tensor, number>();
  nodes.forEach((node, at) => {
    for (const operand of operandsOf(node)) lastUse.set(root(operand), at);
  });
  const buffers: Block[] = [];
  const holders = new Map<Tensor, Block>();
  const free = new Map<string, Block[]>();
  nodes.forEach((node, at) => {
    if (VIEWS.has(node.op)) return;
    for (const output of node.outputs) {
      const until = lastUse.get(output);
      if (given.has(output) || until === undefined) continue;
      const kind = `${output.dtype} ${output.shape}`;
      const buffer = free.get(kind)?.pop() ?? { kind, size: bytes(output), from: at, until };
      if (buffer.from === at) buffers.push(buffer);
      buffer.until = until;
      holders.set(output, buffer);
    }
    for (const operand of new Set(operandsOf(node).map(root))) {
      const buffer = lastUse.get(operand) === at ? holders.get(operand) : undefined;
      if (!buffer) continue;
      const dead = free.get(buffer.kind);
      if (dead) dead.push(buffer);
      else free.set(buffer.kind, [buffer]);
    }
  });
  return worst(buffers, nodes.length);
}

/** The most that buffers hold together. */
function worst(buffers: readonly Block[], moments: number): number {
  const change = new Float64Array(moments + 1);
  for (const { size, from, until } of buffers) {
    change[from]! += size;
    change[until + 1]! -= size;
  }
  let [held, most] = [0, 0];
  for (const by of change) {
    held += by;
    most = Math.max(most, held);
  }
  return most;
}
