/** What a program costs, read off its graph: arithmetic of its contractions, and memory while it runs. */

import { sizeOf } from '../base/ndarray.ts';
import { bufferPeak } from './buffers.ts';
import type { Node, Spec } from './tensor.ts';
import { type Program, schedule } from './trace.ts';

export interface ProgramCost {
  /** Floating-point operations of matrix products and convolutions, a multiply-add counting two, as they are executed. */
  readonly flop: number;
  /** The most that the values between inputs and outputs hold at once, in bytes, as ONNX Runtime lays them out (`buffers.ts`). */
  readonly workingBytes: number;
}

export function programCost(program: Program): ProgramCost {
  const nodes = schedule(program);
  const flop = nodes.reduce((sum, node) => sum + flopOf(node), 0);
  return { flop, workingBytes: bufferPeak(program) };
}

function flopOf({ op, inputs, outputs }: Node): number {
  const [a, b] = inputs;
  if (op === 'matmul') return 2 * sizeOf(outputs[0]!.shape) * a!.shape.at(-1)!;
  if (op === 'conv2d') return 2 * sizeOf(outputs[0]!.shape) * sizeOf(b!.shape.slice(1));
  if (op === 'convTranspose2d') return 2 * sizeOf(a!.shape) * sizeOf(b!.shape.slice(1));
  return 0;
}

/** Bytes of a tensor. */
export const bytes = ({ shape, dtype }: Spec): number =>
  sizeOf(shape) * { float32: 4, float64: 8, int32: 4, bool: 1 }[dtype];
