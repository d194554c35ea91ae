/**
 * A second implementation of the primitives, to check the real one against: plain loops over indices on the host, every
 * number in float64. It is written from what the primitives mean, not from how they are lowered, and it is slow.
 */

import { type NDArray, sizeOf } from '../../src/base/ndarray.ts';
import type { Attributes, Conv2dAttributes, Node, Primitive, Spec, Tensor } from '../../src/graph/tensor.ts';
import type { Program } from '../../src/graph/trace.ts';

/** A dense row-major array of any type. Integers are exact in float64; booleans are 0 and 1. */
export interface Values {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** From the operands of a node to its outputs, whose shapes the trace has settled. */
type Meaning<P extends Primitive> = (
  inputs: readonly Values[],
  attributes: Attributes[P],
  outputs: readonly Spec[],
) => readonly Values[];

export const toValues = ({ shape, data }: NDArray): Values => ({ shape, data: Float64Array.from(data) });

const known = new Map<string, number[][]>();

/** Every multi-index of a shape, in row-major order. */
function indices(shape: readonly number[]): number[][] {
  const all =
    known.get(shape.join()) ??
    shape.reduce<number[][]>(
      (prefixes, size) => prefixes.flatMap((prefix) => Array.from({ length: size }, (_, i) => [...prefix, i])),
      [[]],
    );
  known.set(shape.join(), all);
  return all;
}

function build({ shape }: Spec | Values, element: (index: number[]) => number): Values {
  return { shape, data: Float64Array.from(indices(shape), element) };
}

function offset(shape: readonly number[], index: readonly number[]): number {
  return shape.reduce((at, size, axis) => {
    const i = index[axis]!;
    if (!(i >= 0 && i < size)) throw new RangeError(`index [${index}] leaves the shape [${shape}]`);
    return at * size + i;
  }, 0);
}

const at = (x: Values, index: readonly number[]): number => x.data[offset(x.shape, index)]!;

/** The element that NumPy's broadcasting puts at an index: missing axes are skipped, axes of size 1 repeat. */
function broadcastAt(x: Values, index: readonly number[]): number {
  const own = index.slice(index.length - x.shape.length);
  return at(
    x,
    own.map((i, axis) => (x.shape[axis] === 1 ? 0 : i)),
  );
}

/** Zero outside. */
function paddedAt(x: Values, index: readonly number[]): number {
  return index.every((i, axis) => i >= 0 && i < x.shape[axis]!) ? at(x, index) : 0;
}

const elementwise =
  (f: (...operands: number[]) => number) =>
  (inputs: readonly Values[], _: unknown, [y]: readonly Spec[]): readonly Values[] => [
    build(y!, (index) => f(...inputs.map((x) => broadcastAt(x, index)))),
  ];

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Reduce by a running value: visits every element and folds it into the output that its kept axes name. */
function fold(
  x: Values,
  { axes, keepDims }: Attributes['reduceSum'],
  y: Spec,
  start: number,
  f: (a: number, b: number) => number,
): Values {
  const result = { shape: y.shape, data: new Float64Array(sizeOf(y.shape)).fill(start) };
  for (const index of indices(x.shape)) {
    const kept = keepDims
      ? index.map((i, axis) => (axes.includes(axis) ? 0 : i))
      : index.filter((_, axis) => !axes.includes(axis));
    const place = offset(y.shape, kept);
    result.data[place] = f(result.data[place]!, at(x, index));
  }
  return result;
}

/** The rows along the last axis, each turned into another. */
function alongLast(x: Values, f: (row: Float64Array) => ArrayLike<number>): Values {
  const width = x.shape.at(-1)!;
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start += width) data.set(f(x.data.slice(start, start + width)), start);
  return { shape: x.shape, data };
}

const meanOf = (row: Float64Array): number => row.reduce((a, b) => a + b, 0) / row.length;
const varianceOf = (row: Float64Array): number => meanOf(row.map((x) => (x - meanOf(row)) ** 2));

function conv2d(
  [x, w]: readonly Values[],
  { stride, pads }: Conv2dAttributes,
  [y]: readonly Spec[],
): readonly Values[] {
  const [, channels, height, width] = w!.shape as readonly [number, number, number, number];
  const element = ([n, out, row, column]: number[]): number => {
    let total = 0;
    for (const [c, i, j] of indices([channels, height, width]) as [number, number, number][])
      total +=
        at(w!, [out!, c, i, j]) * paddedAt(x!, [n!, c, row! * stride + i - pads[0], column! * stride + j - pads[1]]);
    return total;
  };
  return [build(y!, element)];
}

/** Each element of x paints its multiple of the kernel; what falls into the cropped border is lost. */
function convTranspose2d(
  [x, w]: readonly Values[],
  { stride, pads }: Conv2dAttributes,
  [y]: readonly Spec[],
): readonly Values[] {
  const [, channels, height, width] = w!.shape as readonly [number, number, number, number];
  const result = build(y!, () => 0);
  for (const [n, c, row, column] of indices(x!.shape) as [number, number, number, number][])
    for (const [out, i, j] of indices([channels, height, width]) as [number, number, number][]) {
      const [r, s] = [row * stride + i - pads[0], column * stride + j - pads[1]];
      if (r < 0 || r >= y!.shape[2]! || s < 0 || s >= y!.shape[3]!) continue;
      result.data[offset(y!.shape, [n, out, r, s])]! += at(x!, [n, c, row, column]) * at(w!, [c, out, i, j]);
    }
  return [result];
}

const meanings: { readonly [P in Primitive]: Meaning<P> } = {
  input: (_, { name }) => {
    throw new Error(`the input ${name} was not fed`);
  },
  constant: (_, { value }) => [toValues(value)],

  neg: elementwise((x) => -x),
  exp: elementwise(Math.exp),
  log: elementwise(Math.log),
  sqrt: elementwise(Math.sqrt),
  abs: elementwise(Math.abs),
  tanh: elementwise(Math.tanh),
  sigmoid: elementwise(sigmoid),
  swish: (inputs, { alpha }, outputs) => elementwise((x) => x * sigmoid(alpha * x))(inputs, alpha, outputs),
  // Between float types nothing is rounded: all floats are float64 here.
  cast: ([x], { to }, [y]) => [
    build(y!, (index) => {
      const value = at(x!, index);
      if (to === 'bool') return value === 0 ? 0 : 1;
      return to === 'int32' ? Math.trunc(value) : value;
    }),
  ],

  add: elementwise((a, b) => a! + b!),
  sub: elementwise((a, b) => a! - b!),
  mul: elementwise((a, b) => a! * b!),
  div: (inputs, _, outputs) =>
    elementwise((a, b) => (outputs[0]!.dtype === 'int32' ? Math.trunc(a! / b!) : a! / b!))(inputs, _, outputs),
  maximum: elementwise(Math.max),
  minimum: elementwise(Math.min),
  greater: elementwise((a, b) => (a! > b! ? 1 : 0)),
  equal: elementwise((a, b) => (a === b ? 1 : 0)),
  where: elementwise((condition, a, b) => (condition === 1 ? a! : b!)),

  reduceSum: ([x], attributes, [y]) => [fold(x!, attributes, y!, 0, (a, b) => a + b)],
  reduceMax: ([x], attributes, [y]) => [fold(x!, attributes, y!, -Infinity, Math.max)],
  argmax: ([x], { axis }, [y]) => [
    build(y!, (index) => {
      const candidates = Array.from({ length: x!.shape[axis]! }, (_, i) => at(x!, index.toSpliced(axis, 0, i)));
      return candidates.indexOf(Math.max(...candidates));
    }),
  ],

  reshape: ([x], { shape }) => [{ shape, data: x!.data }],
  transpose: ([x], { order }, [y]) => [
    build(y!, (index) =>
      at(
        x!,
        x!.shape.map((_, axis) => index[order.indexOf(axis)]!),
      ),
    ),
  ],
  expand: ([x], _, [y]) => [build(y!, (index) => broadcastAt(x!, index))],
  slice: ([x], { starts, steps }, [y]) => [
    build(y!, (index) =>
      at(
        x!,
        index.map((i, axis) => starts[axis]! + i * steps[axis]!),
      ),
    ),
  ],
  flip: ([x], { axes }, [y]) => [
    build(y!, (index) =>
      at(
        x!,
        index.map((i, axis) => (axes.includes(axis) ? x!.shape[axis]! - 1 - i : i)),
      ),
    ),
  ],
  pad: ([x], { before }, [y]) => [
    build(y!, (index) =>
      paddedAt(
        x!,
        index.map((i, axis) => i - before[axis]!),
      ),
    ),
  ],
  concat: (inputs, { axis }, [y]) => [
    build(y!, (index) => {
      let i = index[axis]!;
      for (const part of inputs) {
        if (i < part.shape[axis]!) return at(part, index.with(axis, i));
        i -= part.shape[axis]!;
      }
      throw new RangeError(`index [${index}] is past the last part`);
    }),
  ],

  gather: ([table, index], _, [y]) => [
    build(y!, (place) => {
      const row = at(index!, place.slice(0, index!.shape.length));
      return at(table!, [row, ...place.slice(index!.shape.length)]);
    }),
  ],

  matmul: ([a, b], _, [y]) => [
    build(y!, (index) => {
      const [row, column] = index.slice(-2) as [number, number];
      let total = 0;
      for (let k = 0; k < a!.shape.at(-1)!; k++)
        total += broadcastAt(a!, [...index.slice(0, -2), row, k]) * broadcastAt(b!, [...index.slice(0, -2), k, column]);
      return total;
    }),
  ],
  conv2d,
  convTranspose2d,

  softmax: ([x]) => [
    alongLast(x!, (row) => {
      const weights = row.map((value) => Math.exp(value - Math.max(...row)));
      return weights.map((weight) => weight / weights.reduce((a, b) => a + b, 0));
    }),
  ],
  standardize: ([x], { eps }, [, r]) => {
    const scale = (row: Float64Array): number => 1 / Math.sqrt(varianceOf(row) + eps);
    const y = alongLast(x!, (row) => row.map((value) => (value - meanOf(row)) * scale(row)));
    const width = x!.shape.at(-1)!;
    const scales = build(r!, (index) => {
      const start = offset(r!.shape, index) * width;
      return scale(x!.data.slice(start, start + width));
    });
    return [y, scales];
  },
  after: ([x]) => [x!],
  // One rank alone.
  sumOverRanks: ([x]) => [x!],
  withGradient: ([x]) => [x!],
};

function meaningOf<P extends Primitive>(node: Node<P>): Meaning<P> {
  return meanings[node.op];
}

/** The values of some tensors, given those of the inputs they depend on. */
export function evaluate(tensors: readonly Tensor[], feeds: ReadonlyMap<Tensor, Values>): Values[] {
  const known = new Map<Node, readonly Values[]>();
  const resultOf = (tensor: Tensor): Values => {
    const fed = feeds.get(tensor);
    if (fed) return fed;
    const { node } = tensor;
    const results = known.get(node) ?? meaningOf(node)(node.inputs.map(resultOf), node.attributes, node.outputs);
    known.set(node, results);
    return results[node.outputs.indexOf(tensor)]!;
  };
  return tensors.map(resultOf);
}

/** A program's outputs by name, from its inputs by name. */
export function interpret(program: Program, inputs: Readonly<Record<string, NDArray>>): Record<string, Values> {
  const feeds = new Map<Tensor, Values>();
  for (const [name, tensor] of Object.entries(program.inputs)) {
    const given = inputs[name];
    if (given) feeds.set(tensor, toValues(given));
  }
  const names = Object.keys(program.outputs);
  const values = evaluate(Object.values(program.outputs), feeds);
  return Object.fromEntries(names.map((name, i) => [name, values[i]!]));
}
