/** The functions a model is written with: one for each primitive, taking numbers where that reads well. */

import type { DType, NDArray } from '../base/ndarray.ts';
import { float32, sizeOf } from '../base/ndarray.ts';
import { ShapeError } from './errors.ts';
import { broadcastShapes, shapeRules } from './shapes.ts';
import {
  type Attributes,
  type Conv2dAttributes,
  type Node,
  type Primitive,
  type Spec,
  Tensor,
  type VectorJacobian,
} from './tensor.ts';

/** A tensor, or a number that takes the type of the other operand. */
export type Operand = Tensor | number;

/** Append a node: check its operands against the shape table and return its outputs. */
export function apply<P extends Primitive>(
  op: P,
  inputs: readonly Tensor[],
  attributes: Attributes[P],
): readonly Tensor[] {
  const specs = shapeRules[op](inputs, attributes);
  const outputs: Tensor[] = [];
  const node: Node<P> = { op, inputs, attributes, outputs };
  for (const spec of Array.isArray(specs) ? specs : [specs as Spec]) outputs.push(new Tensor(node as Node, spec));
  return outputs;
}

const one = <P extends Primitive>(op: P, inputs: readonly Tensor[], attributes: Attributes[P]): Tensor =>
  apply(op, inputs, attributes)[0]!;

/** An input of the program; its name is how the runtime feeds it. */
export const input = (name: string, { shape, dtype }: Spec): Tensor => one('input', [], { name, shape, dtype });

/** A literal array inside the graph. */
export const constant = (value: NDArray): Tensor => one('constant', [], { value });

function literal(value: number, dtype: DType): Tensor {
  if (dtype === 'float64') return constant({ dtype, shape: [], data: Float64Array.of(value) });
  if (dtype === 'int32') return constant({ dtype, shape: [], data: Int32Array.of(value) });
  return constant(float32([value], []));
}

function pair(a: Operand, b: Operand): [Tensor, Tensor] {
  if (typeof a !== 'number') return [a, typeof b === 'number' ? literal(b, a.dtype) : b];
  if (typeof b !== 'number') return [literal(a, b.dtype), b];
  return [literal(a, 'float32'), literal(b, 'float32')];
}

// Elementwise, each by its name: natural logarithm, 1/(1 + e⁻ˣ) for `sigmoid`. Two operands broadcast as in NumPy.

export const neg = (x: Tensor): Tensor => one('neg', [x], {});
export const exp = (x: Tensor): Tensor => one('exp', [x], {});
export const log = (x: Tensor): Tensor => one('log', [x], {});
export const sqrt = (x: Tensor): Tensor => one('sqrt', [x], {});
export const abs = (x: Tensor): Tensor => one('abs', [x], {});
export const tanh = (x: Tensor): Tensor => one('tanh', [x], {});
export const sigmoid = (x: Tensor): Tensor => one('sigmoid', [x], {});
/** x · sigmoid(alpha · x). */
export const swish = (x: Tensor, alpha = 1): Tensor => one('swish', [x], { alpha });
/** Elements of another type; a float becomes an integer by cutting its fraction off. */
export const cast = (x: Tensor, to: DType): Tensor => (x.dtype === to ? x : one('cast', [x], { to }));
export const add = (a: Operand, b: Operand): Tensor => one('add', pair(a, b), {});
export const sub = (a: Operand, b: Operand): Tensor => one('sub', pair(a, b), {});
export const mul = (a: Operand, b: Operand): Tensor => one('mul', pair(a, b), {});
export const div = (a: Operand, b: Operand): Tensor => one('div', pair(a, b), {});
/** The larger of two; where they are equal the first receives the gradient. */
export const maximum = (a: Operand, b: Operand): Tensor => one('maximum', pair(a, b), {});
/** The smaller of two; where they are equal the first receives the gradient. */
export const minimum = (a: Operand, b: Operand): Tensor => one('minimum', pair(a, b), {});
/** x · x. */
export const square = (x: Tensor): Tensor => mul(x, x);
/** max(low, min(high, x)); the gradient is zero outside and passes at the limits themselves. */
export const clamp = (x: Tensor, low: number, high: number): Tensor => maximum(minimum(x, high), low);
/** a > b, as booleans. */
export const greater = (a: Operand, b: Operand): Tensor => one('greater', pair(a, b), {});
/** a = b, as booleans. */
export const equal = (a: Operand, b: Operand): Tensor => one('equal', pair(a, b), {});
/** a where the condition holds, else b. */
export const where = (condition: Tensor, a: Operand, b: Operand): Tensor =>
  one('where', [condition, ...pair(a, b)], {});

// Reductions. Axes may count from the end; all axes when none is named.

function resolve(x: Tensor, axes: readonly number[] | number | undefined): number[] {
  if (axes === undefined) return x.shape.map((_, i) => i);
  return [axes].flat().map((axis) => (axis < 0 ? axis + x.rank : axis));
}

/** The sum over axes; `keepDims` keeps them as size 1. */
export const sum = (x: Tensor, axes?: readonly number[] | number, keepDims = false): Tensor =>
  one('reduceSum', [x], { axes: resolve(x, axes), keepDims });

/** The largest element; the gradient is shared equally among ties. */
export const max = (x: Tensor, axes?: readonly number[] | number, keepDims = false): Tensor =>
  one('reduceMax', [x], { axes: resolve(x, axes), keepDims });

/** The mean over axes. */
export function mean(x: Tensor, axes?: readonly number[] | number, keepDims = false): Tensor {
  const total = sum(x, axes, keepDims);
  return mul(total, sizeOf(total.shape) / sizeOf(x.shape));
}

/** Index of the largest element along one axis (the first of several), int32, the axis dropped. Not differentiable. */
export const argmax = (x: Tensor, axis: number): Tensor => one('argmax', [x], { axis: resolve(x, axis)[0]! });

// Layout.

/**
 * The elements of x in row-major order under another shape; one entry may be -1 and is inferred. Two reshapes in a row
 * become one.
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const known = shape.reduce((n, d) => (d === -1 ? n : n * d), 1);
  const full = shape.map((d) => (d === -1 ? sizeOf(x.shape) / known : d));
  if (full.length === x.rank && full.every((d, i) => d === x.shape[i])) return x;
  const { op, inputs } = x.node;
  return op === 'reshape' ? reshape(inputs[0]!, full) : one('reshape', [x], { shape: full });
}

/** Axis i of the result is axis `order[i]` of x. Two transposes in a row become one, or none. */
export function transpose(x: Tensor, order: readonly number[]): Tensor {
  const { op, inputs, attributes } = x.node;
  if (op === 'transpose' && order.length === x.rank) {
    const { order: before } = attributes as Attributes['transpose'];
    return transpose(
      inputs[0]!,
      order.map((axis) => before[axis]!),
    );
  }
  const changesNothing = order.length === x.rank && order.every((axis, i) => axis === i);
  return changesNothing ? x : one('transpose', [x], { order });
}

/** Broadcast to a shape. */
export const expand = (x: Tensor, shape: readonly number[]): Tensor => one('expand', [x], { shape });

/** `start:end:step` of one axis; negative start and end count from the end. */
export function slice(x: Tensor, axis: number, start: number, end: number = x.shape.at(axis) ?? 0, step = 1): Tensor {
  const [at] = resolve(x, axis) as [number];
  const size = x.shape[at];
  if (size === undefined) throw new ShapeError('slice', [x], `axis ${axis} is out of range`);
  const wrap = (i: number) => (i < 0 ? i + size : i);
  if (wrap(start) === 0 && wrap(end) === size && step === 1) return x;
  const along = <T>(value: T, other: (d: number) => T) => x.shape.map((d, i) => (i === at ? value : other(d)));
  return one('slice', [x], {
    starts: along(wrap(start), () => 0),
    ends: along(wrap(end), (d) => d),
    steps: along(step, () => 1),
  });
}

/** Reverse the order along some axes. */
export const flip = (x: Tensor, axes: readonly number[]): Tensor => one('flip', [x], { axes: resolve(x, axes) });

/** Zeros around: amounts for each axis, before and after. */
export const pad = (x: Tensor, before: readonly number[], after: readonly number[]): Tensor =>
  one('pad', [x], { before, after });

/** Tensors one after another along an axis. */
export const concat = (parts: readonly Tensor[], axis: number): Tensor =>
  one('concat', parts, { axis: axis < 0 ? axis + (parts[0]?.rank ?? 0) : axis });

// Rows of a table.

/** Rows of `table` [rows, ...] at int32 `index` [...]: shape [...index, ...row]. Indices must be in range. */
export const gather = (table: Tensor, index: Tensor): Tensor => one('gather', [table, index], {});

/** 1 where the class is `index`, else 0: int32 [...] to [..., classes]. */
export function oneHot(index: Tensor, classes: number, dtype: DType = 'float32'): Tensor {
  const all = constant({ dtype: 'int32', shape: [classes], data: Int32Array.from({ length: classes }, (_, k) => k) });
  return cast(equal(reshape(index, [...index.shape, 1]), all), dtype);
}

/**
 * Zeros [rows, ...] with every row of `values` [...index, ...] added at its index; repeated indices add up. A matrix
 * product with the one-hot indices: ONNX's own scatter adds repeated rows from several threads in an order that changes
 * from run to run.
 */
export function scatterAdd(values: Tensor, index: Tensor, rows: number): Tensor {
  if (index.shape.some((d, i) => d !== values.shape[i]))
    throw new ShapeError('scatterAdd', [values, index], 'one row for each index is needed');
  const count = sizeOf(index.shape);
  const hot = oneHot(reshape(index, [count]), rows, values.dtype);
  const sums = matmul(transpose(hot, [1, 0]), reshape(values, [count, -1]));
  return reshape(sums, [rows, ...values.shape.slice(index.rank)]);
}

// Contractions.

/** Matrix product over the last two axes, the leading ones broadcast. */
export const matmul = (a: Tensor, b: Tensor): Tensor => one('matmul', [a, b], {});

/** Cross-correlation of images [batch, in, height, width] with weights [out, in, kh, kw]. */
export function conv2d(
  x: Tensor,
  w: Tensor,
  options: { stride?: number; pads?: number | Conv2dAttributes['pads'] } = {},
): Tensor {
  const { stride = 1, pads = 0 } = options;
  return one('conv2d', [x, w], { stride, pads: typeof pads === 'number' ? [pads, pads, pads, pads] : pads });
}

/** The transpose (in the linear-algebra sense) of `conv2d`, with weights [in, out, kh, kw]. */
export const convTranspose2d = (x: Tensor, w: Tensor, attributes: Attributes['convTranspose2d']): Tensor =>
  one('convTranspose2d', [x, w], attributes);

/** exp(x)/Σ exp(x) along the last axis. */
export const softmax = (x: Tensor): Tensor => one('softmax', [x], {});

/** (x − mean)/√(variance + eps) along the last axis: layer norm without its affine part. */
export const standardize = (x: Tensor, eps: number): Tensor => one('standardize', [x], { eps });

// Order.

/**
 * x, computed only once `first` is there: for values that take much memory and could be computed long before they are
 * read. A hint: a runtime may do without it.
 */
export const after = (x: Tensor, first: Tensor): Tensor => one('after', [x, first], {});

// Ranks.

/** Σ x over the ranks of a job, float32: on each of them the sum of what all have. */
export const sumOverRanks = (x: Tensor): Tensor => one('sumOverRanks', [x], {});

/** The mean of x over so many ranks, float32; over one it is x itself. */
export const meanOverRanks = (x: Tensor, ranks: number): Tensor => (ranks === 1 ? x : mul(sumOverRanks(x), 1 / ranks));

// Gradients by hand.

/** `y` as it stands, but with the gradient of `args` given by `vjp` instead of by the rules that computed y. */
export const withGradient = (y: Tensor, args: readonly Tensor[], vjp: VectorJacobian): Tensor =>
  one('withGradient', [y, ...args], { vjp: (g) => [undefined, ...vjp(g)] });

/** x, seen as a constant by `grad`. */
export const stopGradient = (x: Tensor): Tensor => withGradient(x, [], () => []);

/** Sum x down to a shape it was broadcast from. */
export function sumTo(x: Tensor, shape: readonly number[]): Tensor {
  if (x.rank === shape.length && x.shape.every((d, i) => d === shape[i])) return x;
  if (!broadcastShapes(x.shape, shape))
    throw new ShapeError('sumTo', [x], `was not broadcast from [${shape.join(', ')}]`);
  const extra = x.rank - shape.length;
  if (x.dtype === 'float32' && shape.length === 1 && extra > 0 && shape[0] === x.shape.at(-1)) return sumOfRows(x);
  const axes = x.shape.flatMap((d, i) => (i < extra || (shape[i - extra] === 1 && d !== 1) ? [i] : []));
  return reshape(sum(x, axes, true), shape);
}

/**
 * The sum over all axes but the last, as a product with ones: products are fast everywhere, sums of columns often are
 * not.
 */
function sumOfRows(x: Tensor): Tensor {
  const width = x.shape.at(-1)!;
  const count = sizeOf(x.shape) / width;
  const ones = constant(float32(new Float32Array(count).fill(1), [1, count]));
  return reshape(matmul(ones, reshape(x, [count, width])), [width]);
}
