/** The lowering table: how each primitive is expressed in ONNX. */

import type { DType, NDArray } from '../base/ndarray.ts';
import type { Conv2dAttributes, Node, Primitive } from './tensor.ts';

/** What a lowering rule may do: name values, add literals, emit operators. */
export interface Emitter {
  /** The ONNX names of a node's operands. */
  inputs(node: Node): string[];
  /** The ONNX name of output `index` of a node. */
  output(node: Node, index?: number): string;
  literal(value: NDArray): string;
  /** A literal list of int64, the type that ONNX requires for shapes and axes. */
  int64s(values: readonly number[]): string;
  emit(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes?: Record<string, OnnxAttribute>,
    domain?: string,
  ): void;
  /** A name for an intermediate value. */
  temporary(): string;
  /** Whether int64 is to be avoided. */
  readonly narrow: boolean;
  /** The shape of a Reshape: the leading axis may be the open batch axis. */
  openShape(shape: readonly number[]): number[];
}

/** A whole number, whole numbers, a float, or a text. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number } | string;

type Lowering<P extends Primitive> = (node: Node<P>, e: Emitter) => void;

/** ONNX TensorProto.DataType */
export const onnxTypes: Readonly<Record<DType, number>> = { float32: 1, float64: 11, int32: 6, bool: 9 };

/** An operator with the operands as they are and no attributes. */
const plain =
  (op: string) =>
  (node: Node, e: Emitter): void =>
    e.emit(op, e.inputs(node), [e.output(node)]);

/** A literal of float64. */
const float64 = (value: number): NDArray => ({ dtype: 'float64', shape: [], data: Float64Array.of(value) });

const conv = ({ stride, pads }: Conv2dAttributes) => ({ strides: [stride, stride], pads: [...pads] });

const lowerings: { readonly [P in Primitive]: Lowering<P> } = {
  // The ends of the graph: the writer declares them itself.
  input: () => {},
  constant: () => {},

  neg: plain('Neg'),
  exp: plain('Exp'),
  log: plain('Log'),
  sqrt: plain('Sqrt'),
  abs: plain('Abs'),
  tanh: plain('Tanh'),
  sigmoid: plain('Sigmoid'),
  // QuickGelu is a contributed operator, for float32 alone.
  swish: (node, e) => {
    const [x] = e.inputs(node) as [string];
    const { alpha } = node.attributes;
    if (node.outputs[0]!.dtype === 'float32')
      return e.emit('QuickGelu', [x], [e.output(node)], { alpha: { float: alpha } }, 'com.microsoft');
    // Not x · sigmoid(alpha · x): the optimizer would recognise it and fuse it into the QuickGelu it has no kernel for.
    const [scaled, power, denominator] = [e.temporary(), e.temporary(), e.temporary()];
    e.emit('Mul', [x, e.literal(float64(-alpha))], [scaled]);
    e.emit('Exp', [scaled], [power]);
    e.emit('Add', [power, e.literal(float64(1))], [denominator]);
    e.emit('Div', [x, denominator], [e.output(node)]);
  },
  cast: (node, e) => e.emit('Cast', e.inputs(node), [e.output(node)], { to: onnxTypes[node.attributes.to] }),

  add: plain('Add'),
  sub: plain('Sub'),
  mul: plain('Mul'),
  div: plain('Div'),
  maximum: plain('Max'),
  minimum: plain('Min'),
  greater: plain('Greater'),
  equal: plain('Equal'),
  where: plain('Where'),

  reduceSum: (node, e) => reduce('ReduceSum', node, e),
  reduceMax: (node, e) => reduce('ReduceMax', node, e),
  argmax: (node, e) => {
    if (e.narrow) return narrowArgmax(node, e);
    const wide = e.temporary();
    e.emit('ArgMax', e.inputs(node), [wide], { axis: node.attributes.axis, keepdims: 0 });
    e.emit('Cast', [wide], [e.output(node)], { to: onnxTypes.int32 });
  },

  reshape: (node, e) =>
    e.emit('Reshape', [...e.inputs(node), e.int64s(e.openShape(node.attributes.shape))], [e.output(node)]),
  transpose: (node, e) => e.emit('Transpose', e.inputs(node), [e.output(node)], { perm: [...node.attributes.order] }),
  expand: (node, e) => e.emit('Expand', [...e.inputs(node), e.int64s(node.attributes.shape)], [e.output(node)]),
  slice: (node, e) => {
    const { shape } = node.inputs[0]!;
    const { starts, ends, steps } = node.attributes;
    const axes = [...shape.keys()].filter((i) => starts[i] !== 0 || ends[i] !== shape[i] || steps[i] !== 1);
    const of = (values: readonly number[]) => e.int64s(axes.map((i) => values[i]!));
    e.emit('Slice', [...e.inputs(node), of(starts), of(ends), e.int64s(axes), of(steps)], [e.output(node)]);
  },
  flip: (node, e) => {
    const { axes } = node.attributes;
    const all = (value: number) => e.int64s(axes.map(() => value));
    e.emit('Slice', [...e.inputs(node), all(-1), all(-(2 ** 31)), e.int64s(axes), all(-1)], [e.output(node)]);
  },
  pad: (node, e) => {
    const { before, after } = node.attributes;
    e.emit('Pad', [...e.inputs(node), e.int64s([...before, ...after])], [e.output(node)], { mode: 'constant' });
  },
  concat: (node, e) => e.emit('Concat', e.inputs(node), [e.output(node)], { axis: node.attributes.axis }),

  gather: (node, e) => e.emit('Gather', e.inputs(node), [e.output(node)], { axis: 0 }),

  matmul: plain('MatMul'),
  conv2d: (node, e) => e.emit('Conv', e.inputs(node), [e.output(node)], conv(node.attributes)),
  convTranspose2d: (node, e) =>
    e.emit('ConvTranspose', e.inputs(node), [e.output(node)], {
      ...conv(node.attributes),
      output_padding: [...node.attributes.outputPadding],
    }),

  softmax: (node, e) => e.emit('Softmax', e.inputs(node), [e.output(node)], { axis: -1 }),
  standardize: (node, e) => {
    const { shape, dtype } = node.outputs[0]!;
    if (dtype === 'float64') return standardizeWide(node, e);
    const width = shape.at(-1)!;
    const scale = e.literal({ dtype: 'float32', shape: [width], data: new Float32Array(width).fill(1) });
    const outputs = [e.output(node), e.temporary(), e.output(node, 1)];
    e.emit('LayerNormalization', [...e.inputs(node), scale], outputs, {
      axis: -1,
      epsilon: { float: node.attributes.eps },
    });
  },
  // ONNX has no such operator: a runtime that needs the order rewrites the program before it is written.
  after: (node, e) => e.emit('Identity', e.inputs(node).slice(0, 1), [e.output(node)]),
  // One process computes the file: what several add up is cut out before (`segments.ts`).
  sumOverRanks: plain('Identity'),
  withGradient: (node, e) => e.emit('Identity', e.inputs(node).slice(0, 1), [e.output(node)]),
};

/**
 * arg max without int64: the first place at which x is its maximum, as C − 1 − max of (C − 1 − i) over all such places
 * i. Places are counted in float32, which is exact up to 2^24 of them.
 */
function narrowArgmax(node: Node<'argmax'>, e: Emitter): void {
  const [x] = e.inputs(node) as [string];
  const { axis } = node.attributes;
  const { shape } = node.inputs[0]!;
  const at = axis < 0 ? axis + shape.length : axis;
  const size = shape[at]!;
  const scalar = (value: number) => e.literal({ dtype: 'float32', shape: [], data: Float32Array.of(value) });
  const downwards = e.literal({
    dtype: 'float32',
    shape: [size, ...shape.slice(at + 1).map(() => 1)],
    data: Float32Array.from({ length: size }, (_, i) => size - 1 - i),
  });
  const [most, isMost, places, last, first] = Array.from({ length: 5 }, () => e.temporary()) as [
    string,
    string,
    string,
    string,
    string,
  ];
  e.emit('ReduceMax', [x, e.int64s([at])], [most], { keepdims: 1 });
  e.emit('Equal', [x, most], [isMost]);
  e.emit('Where', [isMost, downwards, scalar(0)], [places]);
  e.emit('ReduceMax', [places, e.int64s([at])], [last], { keepdims: 0 });
  e.emit('Sub', [scalar(size - 1), last], [first]);
  e.emit('Cast', [first], [e.output(node)], { to: onnxTypes.int32 });
}

function reduce(op: string, node: Node<'reduceSum'> | Node<'reduceMax'>, e: Emitter): void {
  const { axes, keepDims } = node.attributes;
  e.emit(op, [...e.inputs(node), e.int64s(axes)], [e.output(node)], {
    keepdims: keepDims ? 1 : 0,
    noop_with_empty_axes: 1,
  });
}

/**
 * In float64 step by step: LayerNormalization gives its second output, which the gradient needs, as float32 whatever
 * the input.
 */
function standardizeWide(node: Node<'standardize'>, e: Emitter): void {
  const [x] = e.inputs(node) as [string];
  const [mean, centred, squared, variance, shifted, deviation] = Array.from({ length: 6 }, () => e.temporary()) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  e.emit('ReduceMean', [x, e.int64s([-1])], [mean]);
  e.emit('Sub', [x, mean], [centred]);
  e.emit('Mul', [centred, centred], [squared]);
  e.emit('ReduceMean', [squared, e.int64s([-1])], [variance]);
  e.emit('Add', [variance, e.literal(float64(node.attributes.eps))], [shifted]);
  e.emit('Sqrt', [shifted], [deviation]);
  e.emit('Div', [e.literal(float64(1)), deviation], [e.output(node, 1)]);
  e.emit('Mul', [centred, e.output(node, 1)], [e.output(node)]);
}

/** Lower one node by its row of the table. */
export function lower<P extends Primitive>(node: Node<P>, emitter: Emitter): void {
  lowerings[node.op](node, emitter);
}
