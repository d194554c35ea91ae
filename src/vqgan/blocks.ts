/** Building blocks of the VQGAN encoder and decoder (Esser et al., 2012.09841), with parameters named as the reference names them. */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import {
  type Conv,
  conv,
  convParameters,
  groupNorm,
  type Norm,
  normParameters,
  upsampleNearest,
} from '../nn/layers.ts';
import type { Parameter } from '../nn/parameters.ts';
import { conv3x3Tokens } from '../nn/winograd.ts';

export type ResidualBlock<T> = {
  readonly norm1: Norm<T>;
  readonly conv1: Conv<T>;
  readonly norm2: Norm<T>;
  readonly conv2: Conv<T>;
  /** A 1x1 convolution, where the block changes the number of channels. */
  readonly nin_shortcut?: Conv<T>;
};

export type AttentionBlock<T> = {
  readonly norm: Norm<T>;
  readonly q: Conv<T>;
  readonly k: Conv<T>;
  readonly v: Conv<T>;
  readonly proj_out: Conv<T>;
};

export type Resample<T> = { readonly conv: Conv<T> };

export const residualParameters = (from: number, to: number): ResidualBlock<Parameter> => ({
  norm1: normParameters(from),
  conv1: convParameters(from, to, 3),
  norm2: normParameters(to),
  conv2: convParameters(to, to, 3),
  ...(from !== to && { nin_shortcut: convParameters(from, to, 1) }),
});

export const attentionBlockParameters = (channels: number): AttentionBlock<Parameter> => ({
  norm: normParameters(channels),
  q: convParameters(channels, channels, 1),
  k: convParameters(channels, channels, 1),
  v: convParameters(channels, channels, 1),
  proj_out: convParameters(channels, channels, 1),
});

export const resampleParameters = (channels: number): Resample<Parameter> => ({
  conv: convParameters(channels, channels, 3),
});

/** Group norm, then swish: what stands before every convolution of a residual block. */
export const activate = (p: Norm<Tensor>, x: Tensor, groups: number): Tensor => g.swish(groupNorm(p, x, groups));

/** From this many channels on, and up to this side, Winograd's algorithm is faster than the definition, transposes included. */
const WINOGRAD = { channels: 48, side: 32 };

/** Zero-padded 3x3 convolution of a square picture: [batch, from, side, side] to [batch, to, side, side]. */
export function conv3x3(p: Conv<Tensor>, x: Tensor): Tensor {
  const [batch, from, side] = x.shape as readonly [number, number, number, number];
  const to = p.weight.shape[0]!;
  if (Math.min(from, to) < WINOGRAD.channels || side > WINOGRAD.side) return conv(p, x, { pads: 1 });
  const pixels = g.reshape(g.transpose(x, [0, 2, 3, 1]), [batch, side * side, from]);
  const y = g.add(conv3x3Tokens(p.weight, pixels), p.bias);
  return g.reshape(g.transpose(y, [0, 2, 1]), [batch, to, side, side]);
}

/** x + conv(act(conv(act(x)))): [batch, from, height, width] to [batch, to, height, width]. */
export function residual(p: ResidualBlock<Tensor>, x: Tensor, groups: number): Tensor {
  const h = conv3x3(p.conv1, activate(p.norm1, x, groups));
  const straight = p.nin_shortcut ? conv(p.nin_shortcut, x) : x;
  return g.add(straight, conv3x3(p.conv2, activate(p.norm2, h, groups)));
}

/** x + self-attention over all positions with a single head, softmax(q kᵀ/√channels) v; [batch, channels, height, width]. */
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

/** Half the height and width: one row and column of zeros at the end, then a 3x3 convolution of stride 2. */
export const downsample = (p: Resample<Tensor>, x: Tensor): Tensor =>
  conv(p.conv, x, { stride: 2, pads: [0, 0, 1, 1] });

/** Twice the height and width: each pixel repeated, then a 3x3 convolution. */
export const upsample = (p: Resample<Tensor>, x: Tensor): Tensor => conv3x3(p.conv, upsampleNearest(x));

/** Space to depth: squares of `size` pixels become channels, [batch, c, height, width] to [batch, c · size², height/size, width/size]. */
export function toPatches(x: Tensor, size: number): Tensor {
  if (size === 1) return x;
  const [batch, channels, height, width] = x.shape as readonly [number, number, number, number];
  const [rows, columns] = [height / size, width / size];
  const split = g.reshape(x, [batch, channels, rows, size, columns, size]);
  return g.reshape(g.transpose(split, [0, 1, 3, 5, 2, 4]), [batch, channels * size * size, rows, columns]);
}

/** Depth to space, the inverse of `toPatches`. */
export function fromPatches(x: Tensor, size: number): Tensor {
  if (size === 1) return x;
  const [batch, channels, rows, columns] = x.shape as readonly [number, number, number, number];
  const pixels = channels / (size * size);
  const split = g.reshape(x, [batch, pixels, size, size, rows, columns]);
  return g.reshape(g.transpose(split, [0, 1, 4, 2, 5, 3]), [batch, pixels, rows * size, columns * size]);
}
