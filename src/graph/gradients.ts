/**
 * Reverse mode: the gradient table, one rule for each primitive, and the walk that applies it. Rules are written in the
 * primitives themselves, so a gradient is more of the same graph and can be differentiated again.
 */

import { sizeOf, type Tree } from '../base/ndarray.ts';
import { flatten, mapTree } from '../base/tree.ts';
import { convInputGradient, convWeightGradient } from './convolution-gradients.ts';
import { ShapeError } from './errors.ts';
import * as o from './ops.ts';
import type { Attributes, Node, Primitive, Tensor } from './tensor.ts';

type Gradients = readonly (Tensor | undefined)[];
/** From the gradient `g` of output `y` to the gradients of the inputs; `undefined` is zero. */
type GradientRule<P extends Primitive> = (g: Tensor, node: Node<P>, y: Tensor) => Gradients;

const none = (): Gradients => [];
const swapLast = (x: Tensor): Tensor =>
  o.transpose(
    x,
    [...x.shape.keys()].map((i, _, all) => (i < x.rank - 2 ? i : all[2 * x.rank - 3 - i]!)),
  );

/** A rule for a primitive that broadcasts: each gradient is summed back to the shape of its operand. */
const broadcasting =
  <P extends Primitive>(rule: (g: Tensor, inputs: readonly Tensor[], y: Tensor) => Gradients): GradientRule<P> =>
  (g, node, y) =>
    rule(g, node.inputs, y).map((gradient, i) => gradient && o.sumTo(gradient, node.inputs[i]!.shape));

const gradientRules: { readonly [P in Primitive]: GradientRule<P> } = {
  input: none,
  constant: none,

  neg: (g) => [o.neg(g)],
  exp: (g, _, y) => [o.mul(g, y)],
  log: (g, { inputs: [x] }) => [o.div(g, x!)],
  sqrt: (g, _, y) => [o.div(o.mul(g, 0.5), y)],
  abs: (g, { inputs: [x] }) => [o.where(o.greater(x!, 0), g, o.where(o.greater(0, x!), o.neg(g), 0))],
  tanh: (g, _, y) => [o.mul(g, o.sub(1, o.square(y)))],
  sigmoid: (g, _, y) => [o.mul(g, o.mul(y, o.sub(1, y)))],
  // y = x s with s = sigmoid(a x):  y' = s + a y (1 − s)
  swish: (g, { inputs: [x], attributes: { alpha } }, y) => {
    const s = o.sigmoid(alpha === 1 ? x! : o.mul(x!, alpha));
    const bend = o.mul(y, o.sub(1, s));
    return [o.mul(g, o.add(s, alpha === 1 ? bend : o.mul(bend, alpha)))];
  },
  cast: (g, { inputs: [x] }) => [x!.dtype === 'float32' || x!.dtype === 'float64' ? o.cast(g, x!.dtype) : undefined],

  add: broadcasting((g) => [g, g]),
  sub: broadcasting((g) => [g, o.neg(g)]),
  mul: broadcasting((g, [a, b]) => [o.mul(g, b!), o.mul(g, a!)]),
  div: broadcasting((g, [, b], y) => [o.div(g, b!), o.neg(o.mul(o.div(g, b!), y))]),
  maximum: broadcasting((g, [a, b]) => {
    const second = o.greater(b!, a!);
    return [o.where(second, 0, g), o.where(second, g, 0)];
  }),
  minimum: broadcasting((g, [a, b]) => {
    const second = o.greater(a!, b!);
    return [o.where(second, 0, g), o.where(second, g, 0)];
  }),
  greater: none,
  equal: none,
  where: broadcasting((g, [condition]) => [undefined, o.where(condition!, g, 0), o.where(condition!, 0, g)]),

  reduceSum: (g, node) => [o.expand(keepAxes(g, node), node.inputs[0]!.shape)],
  reduceMax: (g, node, y) => {
    const x = node.inputs[0]!;
    const ties = o.cast(o.equal(x, keepAxes(y, node)), x.dtype);
    return [o.mul(ties, o.div(keepAxes(g, node), o.sum(ties, node.attributes.axes, true)))];
  },
  argmax: none,

  reshape: (g, { inputs: [x] }) => [o.reshape(g, x!.shape)],
  transpose: (g, { attributes: { order } }) => [
    o.transpose(
      g,
      [...order.keys()].map((axis) => order.indexOf(axis)),
    ),
  ],
  expand: (g, { inputs: [x] }) => [o.sumTo(g, x!.shape)],
  slice: (g, { inputs: [x], attributes: { starts, steps } }) => {
    const spread = spreadOut(g, steps);
    const after = x!.shape.map((d, i) => d - starts[i]! - spread.shape[i]!);
    const cut = after.reduce(
      (t, excess, axis) => (excess < 0 ? o.slice(t, axis, 0, t.shape[axis]! + excess) : t),
      spread,
    );
    return [
      o.pad(
        cut,
        starts,
        after.map((d) => Math.max(d, 0)),
      ),
    ];
  },
  flip: (g, { attributes: { axes } }) => [o.flip(g, axes)],
  pad: (g, { inputs: [x], attributes: { before } }) => [
    before.reduce((t, skipped, axis) => o.slice(t, axis, skipped, skipped + x!.shape[axis]!), g),
  ],
  concat: (g, { inputs, attributes: { axis } }) => {
    let end = 0;
    return inputs.map((part) => {
      const start = end;
      end += part.shape[axis]!;
      return o.slice(g, axis, start, end);
    });
  },

  gather: (g, { inputs: [table, index] }) => [o.scatterAdd(g, index!, table!.shape[0]!)],

  matmul: broadcasting((g, [a, b]) => {
    // A batch of rows against one matrix: its gradient is one product over all the rows, not a sum of products.
    if (b!.rank === 2 && a!.rank > 2) {
      const rows = (t: Tensor) => o.reshape(t, [-1, t.shape.at(-1)!]);
      return [o.matmul(g, swapLast(b!)), o.matmul(swapLast(rows(a!)), rows(g))];
    }
    return [o.matmul(g, swapLast(b!)), o.matmul(swapLast(a!), g)];
  }),
  conv2d: (g, { inputs: [x, w], attributes }) => [
    convInputGradient(g, x!, w!, attributes),
    convWeightGradient(g, x!, w!, attributes),
  ],
  convTranspose2d: (g, { inputs: [x, w], attributes }) => [
    o.conv2d(g, w!, attributes),
    convWeightGradient(x!, g, w!, attributes),
  ],

  // y = softmax(x):  dx = y (g − Σ g y)
  softmax: (g, _, y) => {
    const gy = o.mul(g, y);
    return [o.sub(gy, o.mul(y, o.sum(gy, -1, true)))];
  },
  // y = (x − mean) r:  dx = r (g − mean(g) − y mean(g y))
  standardize: (g, { inputs, outputs: [first, r] }, y) => {
    if (y !== first) throw new ShapeError('standardize', inputs, 'its second output is not differentiable');
    return [o.mul(r!, o.sub(o.sub(g, o.mean(g, -1, true)), o.mul(y, o.mean(o.mul(g, y), -1, true))))];
  },
  after: (g) => [g],
  // Every rank's loss depends on every rank's x.
  sumOverRanks: (g) => [o.sumOverRanks(g)],
  withGradient: (g, { attributes: { vjp } }) => vjp(g),
};

/** A reduced tensor with its lost axes back as size 1. */
function keepAxes(t: Tensor, { inputs: [x], attributes: { axes } }: Node<'reduceSum' | 'reduceMax'>): Tensor {
  return o.reshape(
    t,
    x!.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
  );
}

/** Zeros between the elements: element i of each axis goes to i · step. */
function spreadOut(x: Tensor, steps: readonly number[]): Tensor {
  if (steps.every((step) => step === 1)) return x;
  const interleaved = x.shape.flatMap((d) => [d, 1]);
  const zeros = steps.flatMap((step) => [0, step - 1]);
  const padded = o.pad(
    o.reshape(x, interleaved),
    zeros.map(() => 0),
    zeros,
  );
  return o.reshape(
    padded,
    x.shape.map((d, i) => d * steps[i]!),
  );
}

/**
 * The gradient of a scalar with respect to tensors: appends the backward pass to the graph.
 * A tensor the scalar does not depend on has a zero gradient. Where ranks add up on the way (`sumOverRanks`), it is the
 * gradient of the sum of all ranks' scalars with respect to the tensors of this one.
 * @throws ShapeError if `loss` is not a scalar.
 */
export function grad<T extends Tree<Tensor>>(loss: Tensor, wrt: T): T;
export function grad(loss: Tensor, wrt: Tree<Tensor>): Tree<Tensor> {
  if (sizeOf(loss.shape) !== 1) throw new ShapeError('grad', [loss], 'only a scalar has a gradient');
  const targets = new Set<Tensor>(Object.values(flatten(wrt)));
  const path = dependents(loss, targets);

  const gradients = new Map<Tensor, Tensor>();
  gradients.set(loss, o.expand(o.constant(ones(loss)), loss.shape));
  for (const y of path) {
    const g = gradients.get(y);
    if (!g) continue;
    const parts = ruleOf(y.node)(g, y.node, y);
    y.node.inputs.forEach((x, i) => {
      const part = parts[i];
      if (!part || !(path.has(x) || targets.has(x))) return;
      const before = gradients.get(x);
      gradients.set(x, before ? o.add(before, part) : part);
    });
  }
  return mapTree(wrt, (t) => gradients.get(t) ?? o.mul(t, 0));
}

function ruleOf<P extends Primitive>(node: Node<P>): GradientRule<P> {
  return gradientRules[node.op];
}

function ones(like: Tensor): Attributes['constant']['value'] {
  return like.dtype === 'float64'
    ? { dtype: 'float64', shape: [], data: Float64Array.of(1) }
    : { dtype: 'float32', shape: [], data: Float32Array.of(1) };
}

/** The tensors between the targets and the loss, the latest first. */
function dependents(loss: Tensor, targets: ReadonlySet<Tensor>): Set<Tensor> {
  const depends = new Map<Tensor, boolean>();
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  const stack = [loss];
  for (let t = stack.pop(); t; t = stack.pop()) {
    if (seen.has(t)) continue;
    seen.add(t);
    order.push(t);
    stack.push(...t.node.inputs);
  }
  order.sort((a, b) => a.id - b.id);
  for (const t of order) depends.set(t, targets.has(t) || t.node.inputs.some((x) => depends.get(x)));
  return new Set(order.reverse().filter((t) => depends.get(t)));
}
