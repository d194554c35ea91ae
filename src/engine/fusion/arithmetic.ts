/** The arithmetic that fused programs are made of: on arrays element by element, and on single numbers. */

import { sizeOf } from '../../base/ndarray.ts';
import type { Node, Primitive, Tensor } from '../../graph/index.ts';
import { isLoopOp } from './plan.ts';

/** Primitives of one or two numbers, as JavaScript. */
export const expressions: { readonly [P in Primitive]?: (a: string, b: string) => string } = {
  neg: (a) => `-${a}`,
  exp: (a) => `Math.exp(${a})`,
  log: (a) => `Math.log(${a})`,
  sqrt: (a) => `Math.sqrt(${a})`,
  abs: (a) => `Math.abs(${a})`,
  add: (a, b) => `${a} + ${b}`,
  sub: (a, b) => `${a} - ${b}`,
  mul: (a, b) => `${a} * ${b}`,
  div: (a, b) => `${a} / ${b}`,
  maximum: (a, b) => `Math.max(${a}, ${b})`,
  minimum: (a, b) => `Math.min(${a}, ${b})`,
};

/** Whether a tensor holds a single number. */
export const isScalar = (t: Tensor): boolean => sizeOf(t.shape) === 1;

/**
 * Whether a node may be part of a fused program: float32 arithmetic on single numbers, or on arrays of one shape and
 * single numbers; and the inputs and constants of such arithmetic.
 */
export function isFusible({ op, inputs, outputs }: Node): boolean {
  const [y] = outputs as [Tensor];
  if (y.dtype !== 'float32') return false;
  if (op === 'input') return true;
  if (op === 'constant') return isScalar(y);
  if (isScalar(y)) return op in expressions && inputs.every(isScalar);
  return isLoopOp(op) && inputs.every((x) => isScalar(x) || x.shape.join() === y.shape.join());
}

/** Whether a node is arithmetic that can be fused, and neither an input nor a constant. */
export const isArithmetic = (node: Node): boolean => node.op in expressions && isFusible(node);
