/**
 * Random trials of each primitive, for fast-check: operands and a function that applies the primitive to them.
 * Floats are multiples of 1/4096 and so exact in float32 and float64 alike, and they stay away from kinks and poles.
 */

import fc from 'fast-check';
import { int32, type NDArray, sizeOf } from '../../src/base/ndarray.ts';
import * as g from '../../src/graph/index.ts';
import type { Primitive, Tensor } from '../../src/graph/tensor.ts';

export interface Trial {
  /** float64, int32 or bool. */
  readonly operands: readonly NDArray[];
  /** The first result is the one to differentiate. */
  readonly apply: (...operands: Tensor[]) => readonly Tensor[];
}

type Shape = readonly number[];

const shapes = (minRank: number, maxRank: number): fc.Arbitrary<Shape> =>
  fc.array(fc.integer({ min: 1, max: 4 }), { minLength: minRank, maxLength: maxRank });

const float64 = (data: readonly number[], shape: Shape): NDArray<'float64'> => ({
  dtype: 'float64',
  shape,
  data: Float64Array.from(data),
});

/** Multiples of 1/16 between two limits. */
const floats = (shape: Shape, low = -2, high = 2): fc.Arbitrary<NDArray<'float64'>> => {
  const size = sizeOf(shape);
  return fc
    .array(fc.integer({ min: low * 16, max: high * 16 }), { minLength: size, maxLength: size })
    .map((sixteenths) =>
      float64(
        sixteenths.map((v) => v / 16),
        shape,
      ),
    );
};

const shifted = (x: NDArray<'float64'>, by: (i: number) => number): NDArray<'float64'> => ({
  ...x,
  data: x.data.map((v, i) => v + by(i)),
});

/** No two elements are equal: each has its own few among the bits below a sixteenth. */
const distinct = (shape: Shape): fc.Arbitrary<NDArray<'float64'>> =>
  floats(shape).map((x) => shifted(x, (i) => i / 4096));

/** Neighbours lie apart: any two of them have some variance. */
const zigzag = (shape: Shape): fc.Arbitrary<NDArray<'float64'>> =>
  floats(shape, 0, 1).map((x) => shifted(x, (i) => (i % 2 === 0 ? -1 : 1)));

const awayFromZero = (shape: Shape): fc.Arbitrary<NDArray<'float64'>> =>
  floats(shape).map((x) => ({ ...x, data: x.data.map((v) => (v < 0 ? v - 0.5 : v + 0.5)) }));

const integers = (shape: Shape, below: number): fc.Arbitrary<NDArray<'int32'>> => {
  const size = sizeOf(shape);
  return fc.array(fc.nat(below - 1), { minLength: size, maxLength: size }).map((data) => int32(data, shape));
};

const booleans = (shape: Shape): fc.Arbitrary<NDArray<'bool'>> =>
  integers(shape, 2).map(({ data }) => ({ dtype: 'bool', shape, data: Uint8Array.from(data) }));

/** Shapes that broadcast to (at most) the given one: leading axes missing, others of size 1. */
const broadcastable = (base: Shape): fc.Arbitrary<Shape> =>
  fc
    .tuple(fc.nat(base.length), fc.array(fc.boolean(), { minLength: base.length, maxLength: base.length }))
    .map(([skipped, ones]) => base.map((d, i) => (ones[i] ? 1 : d)).slice(skipped));

const axesOf = (shape: Shape): fc.Arbitrary<number[]> => fc.shuffledSubarray([...shape.keys()]);

const unary = (
  apply: (x: Tensor) => Tensor,
  values: (shape: Shape) => fc.Arbitrary<NDArray> = floats,
): fc.Arbitrary<Trial> =>
  shapes(0, 3)
    .chain(values)
    .map((x) => ({ operands: [x], apply: (t) => [apply(t!)] }));

const pairOf = (base: Shape): fc.Arbitrary<readonly [Shape, Shape]> =>
  fc.oneof(
    broadcastable(base).map((small) => [base, small] as const),
    fc.tuple(broadcastable(base), broadcastable(base)),
  );

const binary = (
  apply: (a: Tensor, b: Tensor) => Tensor,
  left: (shape: Shape) => fc.Arbitrary<NDArray> = floats,
  right: (shape: Shape) => fc.Arbitrary<NDArray> = floats,
): fc.Arbitrary<Trial> =>
  shapes(0, 3)
    .chain(pairOf)
    .chain(([a, b]) => fc.tuple(left(a), right(b)))
    .map((operands) => ({ operands, apply: (a, b) => [apply(a!, b!)] }));

/** Sixteenths against odd thirty-seconds: never equal. */
const offGrid = (shape: Shape): fc.Arbitrary<NDArray> => floats(shape).map((x) => shifted(x, () => 1 / 32));

const reduction = (
  apply: (x: Tensor, axes: readonly number[], keepDims: boolean) => Tensor,
  values: (shape: Shape) => fc.Arbitrary<NDArray> = floats,
): fc.Arbitrary<Trial> =>
  shapes(0, 4)
    .chain((shape) => fc.tuple(values(shape), axesOf(shape), fc.boolean()))
    .map(([x, axes, keepDims]) => ({ operands: [x], apply: (t) => [apply(t!, axes, keepDims)] }));

/** Any factorisation of the size: the axes in another order, neighbours merged, ones sprinkled in. */
const reshaped = (shape: Shape): fc.Arbitrary<Shape> =>
  fc
    .tuple(fc.shuffledSubarray([...shape, 1], { minLength: shape.length + 1 }), fc.boolean())
    .map(([factors, merge]) => (merge ? [factors[0]! * (factors[1] ?? 1), ...factors.slice(2)] : factors));

const slices = (shape: Shape): fc.Arbitrary<readonly (readonly [number, number, number])[]> =>
  fc.tuple(
    ...shape.map((size) =>
      fc
        .tuple(fc.nat(size - 1), fc.integer({ min: 1, max: size }), fc.integer({ min: 1, max: 3 }))
        .map(([start, length, step]) => [start, Math.min(size, start + length), step] as const),
    ),
  );

const amounts = (rank: number): fc.Arbitrary<number[]> => fc.array(fc.nat(2), { minLength: rank, maxLength: rank });

const matmul: fc.Arbitrary<Trial> = fc
  .record({
    batch: shapes(0, 2).chain(pairOf),
    rows: fc.integer({ min: 1, max: 3 }),
    inner: fc.integer({ min: 1, max: 3 }),
    columns: fc.integer({ min: 1, max: 3 }),
  })
  .chain(({ batch: [left, right], rows, inner, columns }) =>
    fc.tuple(floats([...left, rows, inner]), floats([...right, inner, columns])),
  )
  .map((operands) => ({ operands, apply: (a, b) => [g.matmul(a!, b!)] }));

const convolution = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  channels: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  kernel: fc.oneof(
    fc.constantFrom(1, 3, 4).map((k) => [k, k] as const),
    fc.tuple(fc.constantFrom(1, 2, 3), fc.constantFrom(1, 2, 3)),
  ),
  stride: fc.constantFrom(1, 2),
  pads: fc.oneof(
    fc.constantFrom([0, 0, 1, 1] as const, [1, 1, 1, 1] as const, [0, 0, 0, 0] as const),
    fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.nat(2)),
  ),
  extra: fc.tuple(fc.nat(3), fc.nat(3)),
});

const conv2d: fc.Arbitrary<Trial> = convolution
  .chain(({ batch, channels: [from, to], kernel: [kh, kw], stride, pads, extra }) => {
    // Just large enough for the kernel, and some more.
    const height = Math.max(1, kh - pads[0] - pads[2]) + extra[0];
    const width = Math.max(1, kw - pads[1] - pads[3]) + extra[1];
    return fc.tuple(floats([batch, from, height, width]), floats([to, from, kh, kw]), fc.constant({ stride, pads }));
  })
  .map(([x, w, attributes]) => ({ operands: [x, w], apply: (a, b) => [g.conv2d(a!, b!, attributes)] }));

const convTranspose2d: fc.Arbitrary<Trial> = convolution
  .chain(({ batch, channels: [from, to], kernel: [kh, kw], stride, pads, extra }) => {
    const outputPadding = [extra[0] % stride, extra[1] % stride] as const;
    // At least one element is left after the border is cut.
    const needed = (k: number, cut: number) => 1 + Math.max(0, Math.ceil((1 + cut - k) / stride)) + (extra[0] % 2);
    const image = [batch, from, needed(kh, pads[0] + pads[2]), needed(kw, pads[1] + pads[3])];
    return fc.tuple(floats(image), floats([from, to, kh, kw]), fc.constant({ stride, pads, outputPadding }));
  })
  .map(([x, w, attributes]) => ({ operands: [x, w], apply: (a, b) => [g.convTranspose2d(a!, b!, attributes)] }));

const table = fc.record({ rows: fc.integer({ min: 1, max: 4 }), row: shapes(0, 2), index: shapes(0, 2) });

const otherFloat = (x: Tensor) => (x.dtype === 'float32' ? 'float64' : 'float32');

/** One generator for each primitive. */
export const trials: { readonly [P in Primitive]: fc.Arbitrary<Trial> } = {
  input: unary((x) => x),
  constant: shapes(0, 3)
    .chain((shape) => fc.tuple(floats(shape), floats(shape)))
    .map(([x, c]) => ({
      operands: [x],
      apply: (t) => [g.mul(t!, g.cast(g.constant(c), t!.dtype))],
    })),

  neg: unary(g.neg),
  exp: unary(g.exp),
  log: unary(g.log, (shape) => floats(shape, 0.25, 3)),
  sqrt: unary(g.sqrt, (shape) => floats(shape, 0.25, 3)),
  abs: unary(g.abs, offGrid),
  tanh: unary(g.tanh),
  sigmoid: unary(g.sigmoid, (shape) => floats(shape, -8, 8)),
  swish: fc.constantFrom(1, 1.702, 0.5, -1).chain((alpha) => unary((x) => g.swish(x, alpha))),
  cast: shapes(0, 3)
    .chain((shape) => fc.tuple(floats(shape), integers(shape, 5), booleans(shape)))
    .map(([x, n, b]) => ({
      operands: [x, n, b],
      apply: (s, i, c) => [
        g.cast(g.cast(s!, otherFloat(s!)), s!.dtype),
        g.cast(s!, 'int32'),
        g.cast(s!, 'bool'),
        g.cast(i!, s!.dtype),
        g.cast(i!, 'bool'),
        g.cast(c!, s!.dtype),
        g.cast(c!, 'int32'),
      ],
    })),

  add: binary(g.add),
  sub: binary(g.sub),
  mul: binary(g.mul),
  div: binary(g.div, floats, awayFromZero),
  maximum: binary(g.maximum, floats, offGrid),
  minimum: binary(g.minimum, floats, offGrid),
  greater: binary(
    g.greater,
    (shape) => integers(shape, 3),
    (shape) => integers(shape, 3),
  ),
  equal: binary(
    g.equal,
    (shape) => integers(shape, 3),
    (shape) => integers(shape, 3),
  ),
  where: shapes(0, 3)
    .chain((base) => fc.tuple(broadcastable(base), broadcastable(base), broadcastable(base)))
    .chain(([condition, a, b]) => fc.tuple(floats(a), floats(b), booleans(condition)))
    .map(([a, b, condition]) => ({ operands: [a, b, condition], apply: (s, t, c) => [g.where(c!, s!, t!)] })),

  reduceSum: reduction(g.sum),
  reduceMax: reduction(g.max, distinct),
  argmax: shapes(1, 3)
    .chain((shape) => fc.tuple(fc.oneof(floats(shape), floats(shape, 0, 0.125)), fc.nat(shape.length - 1)))
    .map(([x, axis]) => ({ operands: [x], apply: (t) => [g.argmax(t!, axis)] })),

  reshape: shapes(0, 3)
    .chain((shape) => fc.tuple(floats(shape), reshaped(shape)))
    .map(([x, to]) => ({ operands: [x], apply: (t) => [g.apply('reshape', [t!], { shape: to })[0]!] })),
  transpose: shapes(2, 4)
    .chain((shape) => fc.tuple(floats(shape), fc.shuffledSubarray([...shape.keys()], { minLength: shape.length })))
    // Nothing is left of an order that changes nothing.
    .filter(([, order]) => order.some((axis, i) => axis !== i))
    .map(([x, order]) => ({ operands: [x], apply: (t) => [g.transpose(t!, order)] })),
  expand: shapes(0, 3)
    .chain((base) =>
      fc.tuple(
        broadcastable(base).chain((shape) => floats(shape)),
        fc.constant(base),
      ),
    )
    .map(([x, shape]) => ({ operands: [x], apply: (t) => [g.expand(t!, shape)] })),
  slice: shapes(1, 3)
    .chain((shape) => fc.tuple(floats(shape), slices(shape)))
    .map(([x, cuts]) => {
      const [starts, ends, steps] = [cuts.map((c) => c[0]), cuts.map((c) => c[1]), cuts.map((c) => c[2])];
      return { operands: [x], apply: (t) => g.apply('slice', [t!], { starts, ends, steps }) };
    }),
  flip: shapes(1, 3)
    .chain((shape) => fc.tuple(floats(shape), axesOf(shape)))
    .map(([x, axes]) => ({ operands: [x], apply: (t) => [g.flip(t!, axes)] })),
  pad: shapes(1, 3)
    .chain((shape) => fc.tuple(floats(shape), amounts(shape.length), amounts(shape.length)))
    .map(([x, before, after]) => ({ operands: [x], apply: (t) => [g.pad(t!, before, after)] })),
  concat: shapes(1, 3)
    .chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        fc.nat(shape.length - 1),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
      ),
    )
    .chain(([shape, axis, sizes]) =>
      fc.tuple(fc.tuple(...sizes.map((size) => floats(shape.with(axis, size)))), fc.constant(axis)),
    )
    .map(([operands, axis]) => ({ operands, apply: (...parts) => [g.concat(parts, axis)] })),

  gather: table
    .chain(({ rows, row, index }) => fc.tuple(floats([rows, ...row]), integers(index, rows)))
    .map((operands) => ({ operands, apply: (t, i) => [g.gather(t!, i!)] })),

  matmul,
  conv2d,
  convTranspose2d,

  softmax: shapes(1, 3)
    .chain((shape) => floats(shape, -4, 4))
    .map((x) => ({ operands: [x], apply: (t) => [g.softmax(t!)] })),
  standardize: fc
    .tuple(shapes(0, 2), fc.integer({ min: 2, max: 5 }), fc.constantFrom(1e-5, 0.1))
    .chain(([leading, width, eps]) => fc.tuple(zigzag([...leading, width]), fc.constant(eps)))
    .map(([x, eps]) => ({ operands: [x], apply: (t) => g.apply('standardize', [t!], { eps }) })),
  after: unary((x) => g.after(x, g.greater(x, 0))),
  sumOverRanks: unary(g.sumOverRanks),
  // Two ways to write tanh: the rule by hand must be the rule of the table.
  withGradient: unary((x) => {
    const y = g.tanh(x);
    return g.withGradient(y, [x], (gradient) => [g.mul(gradient, g.sub(1, g.square(y)))]);
  }),
};
