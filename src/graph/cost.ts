/** The arithmetic of a program, counted on its graph. */

import { sizeOf } from '../base/ndarray.ts';
import type { Node } from './tensor.ts';
import { type Program, schedule } from './trace.ts';

/** Floating-point operations of matrix products and convolutions, a multiply-add counting two, as they are executed. */
export const countFlop = (program: Program): number => schedule(program).reduce((sum, node) => sum + flopOf(node), 0);

function flopOf({ op, inputs, outputs }: Node): number {
  const [a, b] = inputs;
  if (op === 'matmul') return 2 * sizeOf(outputs[0]!.shape) * a!.shape.at(-1)!;
  if (op === 'conv2d') return 2 * sizeOf(outputs[0]!.shape) * sizeOf(b!.shape.slice(1));
  if (op === 'convTranspose2d') return 2 * sizeOf(a!.shape) * sizeOf(b!.shape.slice(1));
  return 0;
}
