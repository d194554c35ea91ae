/** Tracing: an ordinary function of tensors, run once on symbols, becomes a program. */

import type { Tree } from '../ndarray.ts';
import { flatten, type Leaf, type Mapped, mapTree } from '../tree.ts';
import { input } from './ops.ts';
import type { Spec, Tensor } from './tensor.ts';

/** A graph with named ends. Names are the dotted paths of the trees that went in and came out. */
export interface Program {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/**
 * Run `fn` on symbols with the shapes and types of `inputs` (host arrays will do) and record what it computes.
 * @throws ShapeError, at the line of `fn` that combines shapes that do not fit.
 */
export function trace<I extends Tree<Leaf>>(inputs: I, fn: (inputs: Mapped<I, Tensor>) => Tree<Tensor>): Program;
export function trace(inputs: Tree<Spec>, fn: (inputs: never) => Tree<Tensor>): Program {
  const symbols = mapTree(inputs, (spec, path) => input(path, spec));
  return { inputs: flatten(symbols), outputs: flatten(fn(symbols as never)) };
}

export const f32 = (...shape: number[]): Spec => ({ shape, dtype: 'float32' });
export const i32 = (...shape: number[]): Spec => ({ shape, dtype: 'int32' });

/** The nodes a program needs, each after its operands. */
export function schedule(program: Program): readonly Tensor['node'][] {
  const nodes = new Map<Tensor['node'], number>();
  const stack = Object.values(program.outputs);
  for (let t = stack.pop(); t; t = stack.pop()) {
    if (nodes.has(t.node)) continue;
    nodes.set(t.node, t.id);
    stack.push(...t.node.inputs);
  }
  return [...nodes].sort((a, b) => a[1] - b[1]).map(([node]) => node);
}
