/** Tracing: an ordinary function of tensors, run once on symbols, becomes a program. */

import type { Tree } from '../base/ndarray.ts';
import { flatten, type Leaf, type Mapped, mapTree } from '../base/tree.ts';
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

/** A float32 input of this shape. */
export const f32 = (...shape: number[]): Spec => ({ shape, dtype: 'float32' });
/** An int32 input of this shape. */
export const i32 = (...shape: number[]): Spec => ({ shape, dtype: 'int32' });

/** The operands that a node reads when it runs; those whose gradient is given by hand are only read by the tracer. */
export const operandsOf = ({ op, inputs }: Tensor['node']): readonly Tensor[] =>
  op === 'withGradient' ? inputs.slice(0, 1) : inputs;

const schedules = new WeakMap<Program, readonly Tensor['node'][]>();

/** The nodes a program needs, each after its operands, in the order in which they were made. */
export function schedule(program: Program): readonly Tensor['node'][] {
  const known = schedules.get(program);
  if (known) return known;
  const seen = new Set<Tensor['node']>();
  const stack = Object.values(program.outputs).map(({ node }) => node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const operand of operandsOf(node)) stack.push(operand.node);
  }
  const nodes = [...seen].sort((a, b) => a.outputs[0]!.id - b.outputs[0]!.id);
  schedules.set(program, nodes);
  return nodes;
}
