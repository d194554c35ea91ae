/** A fused program as data: what the engine sends to its worker. */

import type { Primitive } from '../../graph/index.ts';

export interface FusedPlan {
  /** Body of a function of `x`, the values of `inputs`, that returns the list of all scalars. */
  readonly scalars: { readonly inputs: readonly string[]; readonly source: string };
  /** State of a single number: its path and which scalar it becomes. */
  readonly results: readonly { readonly path: string; readonly scalar: number }[];
  readonly loops: readonly FusedLoop[];
}

/** One loop over arrays of one size. */
export interface FusedLoop {
  /** What it computes for each element, in order. */
  readonly steps: readonly LoopStep[];
  /** Which values go into which arrays, once all are computed. */
  readonly stores: readonly { readonly array: number; readonly value: LoopOperand }[];
  /** Paths of the arrays. */
  readonly arrays: readonly string[];
  /** Elements of each. */
  readonly size: number;
  /** Which of the plan's scalars it reads. */
  readonly scalars: readonly number[];
}

export type LoopStep = { readonly load: number } | { readonly op: LoopOp; readonly operands: readonly LoopOperand[] };

/** The value of an earlier step, or a scalar, by its place in `scalars`. */
export type LoopOperand = { readonly step: number } | { readonly scalar: number };

/** The primitives that loops over arrays are made of: those that WebAssembly computes four at a time. */
const loopOps = ['neg', 'sqrt', 'abs', 'add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const;
export type LoopOp = (typeof loopOps)[number];
/** Whether a loop can compute a primitive. */
export const isLoopOp = (op: Primitive): op is LoopOp => (loopOps as readonly Primitive[]).includes(op);
