/**
 * Building blocks of the VQGAN encoder and decoder (Esser et al., 2012.09841), with parameters named as the reference
 * names them.
 */

import { int32 } from '../base/ndarray.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { fileLayout } from '../nn/kernel-layout.ts';
import { type Conv, conv, convParameters, groupNorm, type Norm, normParameters } from '../nn/layers.ts';
import { isOpenBatch, upsampleOpen } from '../nn/open-batch.ts';
import type { Parameter } from '../nn/parameters.ts';
import { conv3x3Stride2 } from '../nn/patches.ts';
import { conv3x3Winograd } from '../nn/winograd.ts';

/** Parameters of a residual block. */
export type ResidualBlock<T> = {
  readonly norm1: Norm<T>;
  readonly conv1: Conv<T>;
  readonly norm2: Norm<T>;
  readonly conv2: Conv<T>;
  /** A 1x1 convolution, where the block changes the number of channels. */
  readonly nin_shortcut?: Conv<T>;
};

/** Parameters of self-attention over all positions: 1x1 convolutions. */
export type AttentionBlock<T> = {
  readonly norm: Norm<T>;
  readonly q: Conv<T>;
  readonly k: Conv<T>;
  readonly v: Conv<T>;
  readonly proj_out: Conv<T>;
};

/** Parameters of an up- or downsampling. */
export type Resample<T> = { readonly conv: Conv<T> };

/** Of a residual block from `from` to `to` channels. */
export const residualParameters = (from: number, to: number): ResidualBlock<Parameter> => ({
  norm1: normParameters(from),
  conv1: convParameters(from, to, 3),
  norm2: normParameters(to),
  conv2: convParameters(to, to, 3),
  ...(from !== to && { nin_shortcut: convParameters(from, to, 1) }),
});

/** Of an attention block of `channels` channels. */
export const attentionBlockParameters = (channels: number): AttentionBlock<Parameter> => ({
  norm: normParameters(channels),
  q: convParameters(channels, channels, 1),
  k: convParameters(channels, channels, 1),
  v: convParameters(channels, channels, 1),
  proj_out: convParameters(channels, channels, 1),
});

/** Of the convolution of an up- or downsampling. */
export const resampleParameters = (channels: number): Resample<Parameter> => ({
  conv: convParameters(channels, channels, 3),
});

/** Group norm, then swish: what stands before every convolution of a residual block. */
export const activate = (p: Norm<Tensor>, x: Tensor, groups: number): Tensor => g.swish(groupNorm(p, x, groups));

/**
 * The axes of [batch, channels, height, width] with the channels last, as the products of a convolution take them, and
 * back.
 */
export const channelsLast = (x: Tensor): Tensor => g.transpose(x, [0, 2, 3, 1]);
/** The inverse of `channelsLast`. */
export const channelsFirst = (x: Tensor): Tensor => g.transpose(x, [0, 3, 1, 2]);

/**
 * From this many channels on, and up to this side, products take less time than the definition, transposes included.
 */
const PRODUCTS = { channels: 32, side: 32 };

const isProduct = (weight: Tensor, side: number): boolean =>
  !isOpenBatch() && Math.min(weight.shape[2]!, weight.shape[3]!) >= PRODUCTS.channels && side <= PRODUCTS.side;

/**
 * Zero-padded 3x3 convolution of a square picture, channels last: [batch, side, side, from] to [batch, side, side, to].
 */
export function conv3x3(p: Conv<Tensor>, x: Tensor): Tensor {
  const [batch, side, , from] = x.shape as readonly [number, number, number, number];
  if (!isProduct(p.weight, side)) return direct(p, x, { pads: 1 });
  const y = g.add(conv3x3Winograd(p.weight, g.reshape(x, [batch, -1, from])), p.bias);
  return g.reshape(y, [batch, side, side, p.weight.shape[3]!]);
}

/** A convolution by its definition; the weight is taps first (`nn/kernel-layout.ts`). */
const direct = ({ weight, bias }: Conv<Tensor>, x: Tensor, options: Parameters<typeof conv>[2]): Tensor =>
  channelsLast(conv({ weight: fileLayout(weight), bias }, channelsFirst(x), options));

/** x + conv(act(conv(act(x)))): [batch, from, height, width] to [batch, to, height, width]. */
export function residual(p: ResidualBlock<Tensor>, x: Tensor, groups: number): Tensor {
  const convolve = (layer: Conv<Tensor>, norm: Norm<Tensor>, h: Tensor) =>
    channelsFirst(conv3x3(layer, channelsLast(activate(norm, h, groups))));
  const straight = p.nin_shortcut ? conv(p.nin_shortcut, x) : x;
  return g.add(straight, convolve(p.conv2, p.norm2, convolve(p.conv1, p.norm1, x)));
}

/**
 * x + self-attention over all positions with a single head, softmax(q kᵀ/√channels) v;
 * [batch, channels, height, width].
 */
export function attend(p: AttentionBlock<Tensor>, x: Tensor, groups: number): Tensor {
  const [batch, channels] = x.shape as readonly [number, number];
  const normed = groupNorm(p.norm, x, groups);
  const columns = (layer: Conv<Tensor>) => g.reshape(conv(layer, normed), [batch, channels, -1]);
  const rows = (t: Tensor) => g.transpose(t, [0, 2, 1]);
  const query = rows(g.mul(columns(p.q), 1 / Math.sqrt(channels)));
  const weights = g.softmax(g.matmul(query, columns(p.k)));
  const mixed = g.matmul(columns(p.v), rows(weights));
  return g.add(x, conv(p.proj_out, g.reshape(mixed, x.shape)));
}

/**
 * Half the height and width: one row and column of zeros at the end, then a 3x3 convolution of stride 2;
 * [batch, channels, height, width].
 */
export function downsample({ conv: layer }: Resample<Tensor>, x: Tensor): Tensor {
  const [batch, channels, side] = x.shape as readonly [number, number, number];
  const pixels = channelsLast(x);
  if (!isProduct(layer.weight, side)) return channelsFirst(direct(layer, pixels, { stride: 2, pads: [0, 0, 1, 1] }));
  const y = g.add(conv3x3Stride2(layer.weight, g.reshape(pixels, [batch, -1, channels])), layer.bias);
  return channelsFirst(g.reshape(y, [batch, side / 2, side / 2, channels]));
}

/** Twice the height and width: each pixel repeated, then a 3x3 convolution; [batch, channels, height, width]. */
export const upsample = ({ conv: layer }: Resample<Tensor>, x: Tensor): Tensor =>
  channelsFirst(conv3x3(layer, upsampleNearest(channelsLast(x))));

/**
 * Each pixel twice in both directions: [batch, height, width, channels] to [batch, 2 · height, 2 · width, channels].
 */
function upsampleNearest(x: Tensor): Tensor {
  if (isOpenBatch()) return upsampleOpen(x);
  const [batch, height, width, channels] = x.shape as readonly [number, number, number, number];
  const places = new Int32Array(4 * batch * height * width).map((_, i) => {
    const [row, column] = [Math.floor(i / (2 * width)), i % (2 * width)];
    return Math.floor(row / 2) * width + Math.floor(column / 2);
  });
  const index = g.constant(int32(places, [batch, 2 * height, 2 * width]));
  const y = g.gather(g.reshape(x, [batch * height * width, channels]), index);
  return g.withGradient(y, [x], (gradient) => [
    g.reshape(g.sum(g.reshape(gradient, [batch, height, 2, width, 2, channels]), [2, 4]), x.shape),
  ]);
}

/**
 * Space to depth: squares of `size` pixels become channels, [batch, c, height, width] to [batch, height/size,
 * width/size, c · size²]. The channels of a position are in the order of c, row, column.
 */
export function toPatches(x: Tensor, size: number): Tensor {
  if (size === 1) return channelsLast(x);
  const [batch, channels, height, width] = x.shape as readonly [number, number, number, number];
  const [rows, columns] = [height / size, width / size];
  const split = g.reshape(x, [batch, channels, rows, size, columns, size]);
  return g.reshape(g.transpose(split, [0, 2, 4, 1, 3, 5]), [batch, rows, columns, channels * size * size]);
}

/** Depth to space, the inverse of `toPatches`. */
export function fromPatches(x: Tensor, size: number): Tensor {
  if (size === 1) return channelsFirst(x);
  const [batch, rows, columns, channels] = x.shape as readonly [number, number, number, number];
  const pixels = channels / (size * size);
  const split = g.reshape(x, [batch, rows, columns, pixels, size, size]);
  return g.reshape(g.transpose(split, [0, 3, 1, 4, 2, 5]), [batch, pixels, rows * size, columns * size]);
}
