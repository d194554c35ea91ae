/**
 * Layers as plain functions over the graph. Each comes with the tree of its parameters, named as PyTorch names them.
 */

import { int32, zeros } from '../base/ndarray.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { constant, normal, type Parameter, uniform } from './parameters.ts';

/** `T` is a Parameter before training, an NDArray on the host, a Tensor inside a graph. */
export type Linear<T> = { readonly weight: T; readonly bias: T };
/** Parameters of a convolution: weight [out, in, kernel, kernel], bias [out]. */
export type Conv<T> = { readonly weight: T; readonly bias: T };
/** Scale and shift of a normalisation, [width] each. */
export type Norm<T> = { readonly weight: T; readonly bias: T };
/** A table [rows, width]. */
export type Embedding<T> = { readonly weight: T };

// Parameters.

/** Normal with deviation `std`; zero bias. */
export const linearParameters = (from: number, to: number, std = 1 / Math.sqrt(from)): Linear<Parameter> => ({
  weight: normal([to, from], std),
  bias: constant([to], 0),
});

/** Uniform within 1/√fan-in, as PyTorch starts a convolution; zero bias. */
export const convParameters = (from: number, to: number, kernel: number, gain = 1): Conv<Parameter> => ({
  weight: uniform([to, from, kernel, kernel], gain * Math.sqrt(3 / (from * kernel * kernel))),
  bias: constant([to], 0),
});

/** Scale 1, shift 0. */
export const normParameters = (width: number): Norm<Parameter> => ({
  weight: constant([width], 1),
  bias: constant([width], 0),
});

/** Normal with deviation `std`. */
export const embeddingParameters = (rows: number, width: number, std = 0.02): Embedding<Parameter> => ({
  weight: normal([rows, width], std),
});

// Functions.

/** x Wᵀ + b over the last axis: [..., in] to [..., out]. */
export const linear = ({ weight, bias }: Linear<Tensor>, x: Tensor): Tensor =>
  g.add(g.matmul(x, g.transpose(weight, [1, 0])), bias);

/** Rows of a table: int32 [...] to [..., width]. */
export const embed = ({ weight }: Embedding<Tensor>, index: Tensor): Tensor => g.gather(weight, index);

/** Rows of a table [rows, width], those at `places`, row after row: [places, width]. Place -1 is a row of zeros. */
export function rowsAt(table: Tensor, places: Int32Array): Tensor {
  const [count, width] = table.shape as readonly [number, number];
  const padded = g.concat([table, g.constant(zeros([1, width]))], 0);
  const index = places.map((place) => (place < 0 ? count : place));
  return g.gather(padded, g.constant(int32(index, [index.length])));
}

/** Convolution with bias: [batch, in, height, width] to [batch, out, ...]. */
export const conv = ({ weight, bias }: Conv<Tensor>, x: Tensor, options: Parameters<typeof g.conv2d>[2] = {}): Tensor =>
  g.add(g.conv2d(x, weight, options), g.reshape(bias, [1, -1, 1, 1]));

/** Layer normalisation over the last axis (Ba et al., 2016). */
export const layerNorm = ({ weight, bias }: Norm<Tensor>, x: Tensor, eps = 1e-5): Tensor =>
  g.add(g.mul(g.standardize(x, eps), weight), bias);

/**
 * Group normalisation (Wu & He, 2018) of [batch, channels, height, width]; channels must divide into the groups. Its
 * gradient is by hand: all sums over a group are made of those over its channels, which the gradients of weight and
 * bias need anyway.
 */
export function groupNorm({ weight, bias }: Norm<Tensor>, x: Tensor, groups: number, eps = 1e-6): Tensor {
  const [batch, channels] = x.shape as readonly [number, number];
  const grouped = g.standardize(g.reshape(x, [batch, groups, -1]), eps);
  const [, deviation] = grouped.node.outputs as [Tensor, Tensor];
  const standard = g.reshape(grouped, x.shape);
  const y = g.add(g.mul(standard, g.reshape(weight, [channels, 1, 1])), g.reshape(bias, [channels, 1, 1]));
  return g.withGradient(y, [weight, bias, x], (gradient) => {
    const [sums, products] = [g.sum(gradient, [2, 3]), g.sum(g.mul(gradient, standard), [2, 3])];
    // With h = w dy:  dx = r (h − mean(h) − ŷ mean(h ŷ))
    const share = g.div(deviation, grouped.shape[2]!);
    const ofGroup = (t: Tensor) => g.mul(g.sum(g.reshape(g.mul(t, weight), [batch, groups, -1]), -1, true), share);
    const scale = g.reshape(g.mul(g.reshape(weight, [groups, -1]), deviation), [batch, channels, 1, 1]);
    const drift = g.add(g.mul(grouped, ofGroup(products)), ofGroup(sums));
    return [g.sum(products, 0), g.sum(sums, 0), g.sub(g.mul(gradient, scale), g.reshape(drift, x.shape))];
  });
}

/** log softmax along the last axis. */
export function logSoftmax(x: Tensor): Tensor {
  const shifted = g.sub(x, g.stopGradient(g.max(x, -1, true)));
  return g.sub(shifted, g.log(g.sum(g.exp(shifted), -1, true)));
}

/** x/‖x‖ along the last axis. */
export const normalize = (x: Tensor): Tensor => g.div(x, g.sqrt(g.add(g.sum(g.square(x), -1, true), 1e-12)));

/** Parameters of multi-head attention. */
export type Attention<T> = {
  readonly key: Linear<T>;
  readonly query: Linear<T>;
  readonly value: Linear<T>;
  readonly proj: Linear<T>;
};

/** Four linear maps: query, key, value and projection. */
export const attentionParameters = (width: number, std?: number): Attention<Parameter> => ({
  key: linearParameters(width, width, std),
  query: linearParameters(width, width, std),
  value: linearParameters(width, width, std),
  proj: linearParameters(width, width, std),
});

/** Multi-head self-attention (Vaswani et al., 2017), not causal: softmax(q kᵀ/√d) v over [batch, tokens, width]. */
export function attention(p: Attention<Tensor>, x: Tensor, heads: number): Tensor {
  const [batch, tokens, width] = x.shape as readonly [number, number, number];
  const size = width / heads;
  const split = (t: Tensor) => g.transpose(g.reshape(t, [batch, tokens, heads, size]), [0, 2, 1, 3]);
  const query = split(g.mul(linear(p.query, x), 1 / Math.sqrt(size)));
  const key = g.transpose(g.reshape(linear(p.key, x), [batch, tokens, heads, size]), [0, 2, 3, 1]);
  const mixed = g.matmul(g.softmax(g.matmul(query, key)), split(linear(p.value, x)));
  return linear(p.proj, g.reshape(g.transpose(mixed, [0, 2, 1, 3]), [batch, tokens, width]));
}
