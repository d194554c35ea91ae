/** Traced tensors: values of a graph that is being written, known by shape and type only. */

import type { DType, NDArray } from '../base/ndarray.ts';

/** What is known of a tensor before anything runs. Shapes are static. */
export interface Spec {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

type Nothing = Record<never, never>;

/**
 * The closed set of primitives and their attributes. Everything else is a plain function of these. A new primitive is
 * one row here, one in `shapes.ts`, `gradients.ts` and `lowering.ts` (and one in the tests' interpreter): each table is
 * a total record over `Primitive`, so the type checker names the row that is missing.
 */
export interface Attributes {
  // leaves
  input: Spec & { readonly name: string };
  constant: { readonly value: NDArray };
  // elementwise, one operand
  neg: Nothing;
  exp: Nothing;
  log: Nothing;
  sqrt: Nothing;
  abs: Nothing;
  tanh: Nothing;
  sigmoid: Nothing;
  /** x · sigmoid(alpha · x): SiLU at alpha = 1, the "GELU2" of the paper at 1.702. */
  swish: { readonly alpha: number };
  cast: { readonly to: DType };
  // elementwise, broadcasting as in NumPy
  add: Nothing;
  sub: Nothing;
  mul: Nothing;
  div: Nothing;
  maximum: Nothing;
  minimum: Nothing;
  greater: Nothing;
  equal: Nothing;
  where: Nothing;
  // reductions
  reduceSum: { readonly axes: readonly number[]; readonly keepDims: boolean };
  reduceMax: { readonly axes: readonly number[]; readonly keepDims: boolean };
  argmax: { readonly axis: number };
  // layout
  reshape: { readonly shape: readonly number[] };
  transpose: { readonly order: readonly number[] };
  expand: { readonly shape: readonly number[] };
  slice: { readonly starts: readonly number[]; readonly ends: readonly number[]; readonly steps: readonly number[] };
  flip: { readonly axes: readonly number[] };
  pad: { readonly before: readonly number[]; readonly after: readonly number[] };
  concat: { readonly axis: number };
  /** Rows of a table. */
  gather: Nothing;
  // contractions
  matmul: Nothing;
  conv2d: Conv2dAttributes;
  convTranspose2d: Conv2dAttributes & { readonly outputPadding: readonly [number, number] };
  // fused normalisations, along the last axis
  softmax: Nothing;
  /**
   * Two outputs: (x − mean)/√(var + eps), and 1/√(var + eps) with the last axis kept as size 1 (not differentiable by
   * itself).
   */
  standardize: { readonly eps: number };
  /** The first input, not to be computed before the second. */
  after: Nothing;
  /** The sum of the values that x has on all ranks of a job, which run the same program; x where there is one rank. */
  sumOverRanks: Nothing;
  /** The first input, with the gradient of the others given by hand: the first receives none. */
  withGradient: { readonly vjp: VectorJacobian };
}

/** Of x [batch, in, height, width] by w [out, in, kh, kw]; transposed, by w [in, out, kh, kw]. */
export interface Conv2dAttributes {
  readonly stride: number;
  /** Zero padding: top, left, bottom, right. */
  readonly pads: readonly [number, number, number, number];
}

/** From the gradient of an output to the gradients of the inputs, in order. `undefined` is a zero gradient. */
export type VectorJacobian = (g: Tensor) => readonly (Tensor | undefined)[];

/** The name of a primitive. */
export type Primitive = keyof Attributes;

/** A primitive applied to operands. */
export interface Node<P extends Primitive = Primitive> {
  readonly op: P;
  readonly inputs: readonly Tensor[];
  readonly attributes: Attributes[P];
  readonly outputs: readonly Tensor[];
}

let created = 0;

/** One output of one node. `id` grows in order of creation, so sorting by it is a topological order. */
export class Tensor implements Spec {
  readonly id: number;
  readonly node: Node;
  readonly shape: readonly number[];
  readonly dtype: DType;

  constructor(node: Node, spec: Spec) {
    this.id = created++;
    this.node = node;
    this.shape = spec.shape;
    this.dtype = spec.dtype;
  }

  get rank(): number {
    return this.shape.length;
  }
}
