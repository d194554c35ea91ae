/**
 * The shape table: for each primitive, the shapes and types of its outputs, or the reason why its operands do not fit.
 */

import { sizeOf } from '../base/ndarray.ts';
import { ShapeError } from './errors.ts';
import type { Attributes, Conv2dAttributes, Primitive, Spec } from './tensor.ts';

type ShapeRule<P extends Primitive> = (inputs: readonly Spec[], attributes: Attributes[P]) => Spec | readonly Spec[];

/** NumPy's broadcast of two shapes, or undefined if they do not fit. */
export function broadcastShapes(a: readonly number[], b: readonly number[]): number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return undefined;
    out.push(x === 1 ? y : x);
  }
  return out;
}

const unary = ([x]: readonly Spec[]): Spec => x!;

function elementwise(op: Primitive, inputs: readonly Spec[], dtype?: Spec['dtype']): Spec {
  const [a, b] = inputs as readonly [Spec, Spec];
  if (a.dtype !== b.dtype) throw new ShapeError(op, inputs, 'the operands differ in type');
  const shape = broadcastShapes(a.shape, b.shape);
  if (!shape) throw new ShapeError(op, inputs, 'the shapes do not broadcast');
  return { shape, dtype: dtype ?? a.dtype };
}

function checkAxes(op: Primitive, x: Spec, axes: readonly number[]): void {
  const bad = axes.find((axis) => !(axis >= 0 && axis < x.shape.length));
  if (bad !== undefined) throw new ShapeError(op, [x], `axis ${bad} is out of range`);
  if (new Set(axes).size !== axes.length) throw new ShapeError(op, [x], `axes ${axes} repeat`);
}

function reduced(op: Primitive, x: Spec, { axes, keepDims }: Attributes['reduceSum']): Spec {
  checkAxes(op, x, axes);
  const shape = x.shape.map((d, i) => (axes.includes(i) ? 1 : d)).filter((_, i) => keepDims || !axes.includes(i));
  return { shape, dtype: x.dtype };
}

function convolved(size: number, kernel: number, before: number, after: number, stride: number): number {
  return Math.floor((size + before + after - kernel) / stride) + 1;
}

function checkImages(op: Primitive, inputs: readonly Spec[], channelAxis: 0 | 1): void {
  const [x, w] = inputs as readonly [Spec, Spec];
  if (x.shape.length !== 4 || w.shape.length !== 4) throw new ShapeError(op, inputs, 'both must have four axes');
  if (x.dtype !== w.dtype) throw new ShapeError(op, inputs, 'the operands differ in type');
  if (x.shape[1] !== w.shape[channelAxis])
    throw new ShapeError(op, inputs, `${x.shape[1]} channels do not meet ${w.shape[channelAxis]} of the weight`);
}

/** The shapes and types of the outputs of each primitive. @throws ShapeError for operands that do not fit. */
export const shapeRules: { readonly [P in Primitive]: ShapeRule<P> } = {
  input: (_, { shape, dtype }) => ({ shape, dtype }),
  constant: (_, { value }) => ({ shape: value.shape, dtype: value.dtype }),

  neg: unary,
  exp: unary,
  log: unary,
  sqrt: unary,
  abs: unary,
  tanh: unary,
  sigmoid: unary,
  swish: ([x]) => x!,
  cast: ([x], { to }) => ({ shape: x!.shape, dtype: to }),

  add: (inputs) => elementwise('add', inputs),
  sub: (inputs) => elementwise('sub', inputs),
  mul: (inputs) => elementwise('mul', inputs),
  div: (inputs) => elementwise('div', inputs),
  maximum: (inputs) => elementwise('maximum', inputs),
  minimum: (inputs) => elementwise('minimum', inputs),
  greater: (inputs) => elementwise('greater', inputs, 'bool'),
  equal: (inputs) => elementwise('equal', inputs, 'bool'),
  where: (inputs) => {
    const [condition, a, b] = inputs as readonly [Spec, Spec, Spec];
    if (condition.dtype !== 'bool') throw new ShapeError('where', inputs, 'the condition must be boolean');
    const both = elementwise('where', [a, b]);
    const shape = broadcastShapes(condition.shape, both.shape);
    if (!shape) throw new ShapeError('where', inputs, 'the shapes do not broadcast');
    return { shape, dtype: a.dtype };
  },

  reduceSum: ([x], attributes) => reduced('reduceSum', x!, attributes),
  reduceMax: ([x], attributes) => reduced('reduceMax', x!, attributes),
  argmax: ([x], { axis }) => ({ ...reduced('argmax', x!, { axes: [axis], keepDims: false }), dtype: 'int32' }),

  reshape: ([x], { shape }) => {
    if (sizeOf(shape) !== sizeOf(x!.shape))
      throw new ShapeError('reshape', [x!], `[${shape.join(', ')}] holds another number of elements`);
    return { shape, dtype: x!.dtype };
  },
  transpose: ([x], { order }) => {
    checkAxes('transpose', x!, order);
    if (order.length !== x!.shape.length) throw new ShapeError('transpose', [x!], `order ${order} names too few axes`);
    return { shape: order.map((axis) => x!.shape[axis]!), dtype: x!.dtype };
  },
  expand: ([x], { shape }) => {
    const fits = broadcastShapes(x!.shape, shape);
    if (!fits || fits.length !== shape.length || fits.some((d, i) => d !== shape[i]))
      throw new ShapeError('expand', [x!], `does not broadcast to [${shape.join(', ')}]`);
    return { shape, dtype: x!.dtype };
  },
  slice: ([x], { starts, ends, steps }) => {
    const shape = x!.shape.map((d, i) => {
      const [start, end, step] = [starts[i] ?? 0, ends[i] ?? d, steps[i] ?? 1];
      if (start < 0 || end > d || start >= end || step < 1)
        throw new ShapeError('slice', [x!], `${start}:${end}:${step} leaves axis ${i}`);
      return Math.ceil((end - start) / step);
    });
    return { shape, dtype: x!.dtype };
  },
  flip: ([x], { axes }) => {
    checkAxes('flip', x!, axes);
    return x!;
  },
  pad: ([x], { before, after }) => {
    if (before.length !== x!.shape.length || after.length !== x!.shape.length)
      throw new ShapeError('pad', [x!], 'one amount for each axis and side is needed');
    return { shape: x!.shape.map((d, i) => d + before[i]! + after[i]!), dtype: x!.dtype };
  },
  concat: (inputs, { axis }) => {
    const first = inputs[0];
    if (!first) throw new ShapeError('concat', inputs, 'there is nothing to join');
    checkAxes('concat', first, [axis]);
    const fits = inputs.every(
      (t) => t.shape.length === first.shape.length && t.shape.every((d, i) => i === axis || d === first.shape[i]),
    );
    if (!fits) throw new ShapeError('concat', inputs, `the shapes differ outside axis ${axis}`);
    if (inputs.some((t) => t.dtype !== first.dtype))
      throw new ShapeError('concat', inputs, 'the operands differ in type');
    const joined = inputs.reduce((n, t) => n + t.shape[axis]!, 0);
    return { shape: first.shape.map((d, i) => (i === axis ? joined : d)), dtype: first.dtype };
  },

  gather: (inputs) => {
    const [table, index] = inputs as readonly [Spec, Spec];
    if (index.dtype !== 'int32') throw new ShapeError('gather', inputs, 'the index must be int32');
    if (table.shape.length === 0) throw new ShapeError('gather', inputs, 'the table needs an axis');
    return { shape: [...index.shape, ...table.shape.slice(1)], dtype: table.dtype };
  },

  matmul: (inputs) => {
    const [a, b] = inputs as readonly [Spec, Spec];
    if (a.shape.length < 2 || b.shape.length < 2) throw new ShapeError('matmul', inputs, 'both need at least two axes');
    if (a.dtype !== b.dtype) throw new ShapeError('matmul', inputs, 'the operands differ in type');
    const [inner, other] = [a.shape.at(-1), b.shape.at(-2)];
    if (inner !== other) throw new ShapeError('matmul', inputs, `the inner sizes ${inner} and ${other} differ`);
    const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
    if (!batch) throw new ShapeError('matmul', inputs, 'the leading axes do not broadcast');
    return { shape: [...batch, a.shape.at(-2)!, b.shape.at(-1)!], dtype: a.dtype };
  },
  conv2d: (inputs, { stride, pads: [top, left, bottom, right] }: Conv2dAttributes) => {
    checkImages('conv2d', inputs, 1);
    const [x, w] = inputs as readonly [Spec, Spec];
    const [batch, , height, width] = x.shape as readonly [number, number, number, number];
    const [out, , kh, kw] = w.shape as readonly [number, number, number, number];
    const shape = [batch, out, convolved(height, kh, top, bottom, stride), convolved(width, kw, left, right, stride)];
    if (shape.some((d) => d < 1)) throw new ShapeError('conv2d', inputs, 'the kernel is larger than the padded image');
    return { shape, dtype: x.dtype };
  },
  convTranspose2d: (inputs, { stride, pads: [top, left, bottom, right], outputPadding }) => {
    checkImages('convTranspose2d', inputs, 0);
    const [x, w] = inputs as readonly [Spec, Spec];
    const [batch, , height, width] = x.shape as readonly [number, number, number, number];
    const [, out, kh, kw] = w.shape as readonly [number, number, number, number];
    if (outputPadding.some((extra) => extra >= stride))
      throw new ShapeError('convTranspose2d', inputs, `output padding ${outputPadding} reaches the stride ${stride}`);
    const grown = (size: number, kernel: number, cut: number, extra: number) =>
      (size - 1) * stride + kernel - cut + extra;
    const shape = [
      batch,
      out,
      grown(height, kh, top + bottom, outputPadding[0]),
      grown(width, kw, left + right, outputPadding[1]),
    ];
    if (shape.some((d) => d < 1)) throw new ShapeError('convTranspose2d', inputs, 'nothing is left inside the padding');
    return { shape, dtype: x.dtype };
  },

  softmax: ([x]) => x!,
  standardize: ([x]) => [x!, { shape: [...x!.shape.slice(0, -1), 1], dtype: x!.dtype }],
  after: unary,
  sumOverRanks: unary,
  withGradient: ([x]) => x!,
};
