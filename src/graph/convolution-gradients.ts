/** The gradients of a convolution, y = x * w, as convolutions and matrix products; `g` is the gradient of y. */

import * as o from './ops.ts';
import type { Conv2dAttributes, Tensor } from './tensor.ts';

/**
 * ∂/∂x: at stride 1 a convolution with the flipped, transposed weights, which runs faster than a transposed
 * convolution.
 */
export function convInputGradient(g: Tensor, x: Tensor, w: Tensor, { stride, pads }: Conv2dAttributes): Tensor {
  const [, , kh, kw] = w.shape as readonly [number, number, number, number];
  const [top, left, bottom, right] = pads;
  const mirrored = [kh - 1 - top, kw - 1 - left, kh - 1 - bottom, kw - 1 - right] as const;
  // Padding beyond the kernel's reach would be cropping here, which a convolution cannot do.
  if (stride === 1 && mirrored.every((amount) => amount >= 0)) {
    const flipped = o.transpose(o.flip(w, [2, 3]), [1, 0, 2, 3]);
    return o.conv2d(g, flipped, { pads: mirrored });
  }
  const missing = (axis: 2 | 3, kernel: number, padding: number) =>
    x.shape[axis]! - ((g.shape[axis]! - 1) * stride + kernel - padding);
  const outputPadding = [missing(2, kh, top + bottom), missing(3, kw, left + right)] as const;
  return o.convTranspose2d(g, w, { stride, pads, outputPadding });
}

/** ∂/∂w [out, in, kh, kw]: one matrix product for each tap of the kernel. */
export function convWeightGradient(g: Tensor, x: Tensor, w: Tensor, { stride, pads }: Conv2dAttributes): Tensor {
  const taps = stride === 1 ? shiftedTaps(g, x, w, pads) : stridedTaps(g, x, w, stride, pads);
  const columns = taps.map((tap) => o.reshape(tap, [...tap.shape, 1]));
  return o.reshape(columns.length === 1 ? columns[0]! : o.concat(columns, 2), w.shape);
}

/**
 * At stride 1: x and g as one long row of pixels each, in the same order, with zeros between lines and between images
 * wide enough that a tap is nothing but a shift of the whole row. A slice of whole pixels is one block of memory, and
 * the product sums over the batch as well.
 */
function shiftedTaps(g: Tensor, x: Tensor, w: Tensor, [top, left, bottom, right]: Conv2dAttributes['pads']): Tensor[] {
  const [, , kh, kw] = w.shape as readonly [number, number, number, number];
  const [batch, out, outHeight, outWidth] = g.shape as readonly [number, number, number, number];
  const [, channels, height, width] = x.shape as readonly [number, number, number, number];
  const line = Math.max(width + Math.max(left, right), outWidth);
  const lines = Math.max(height + Math.max(top, bottom), outHeight);
  const length = batch * lines * line;

  const rows = o.reshape(padTo(o.transpose(g, [1, 0, 2, 3]), [out, batch, lines, line]), [out, length]);
  const spaced = o.reshape(padTo(o.transpose(x, [0, 2, 3, 1]), [batch, lines, line, channels]), [length, channels]);
  const [before, behind] = [top * line + left, (kh - 1 - top) * line + kw - 1 - left];
  const pixels = padTo(spaced, [before + length + Math.max(0, behind), channels], [before, 0]);
  return grid(kh, kw, (i, j) => o.matmul(rows, o.slice(pixels, 0, i * line + j, i * line + j + length)));
}

/** Zeros around x up to a shape; `before` of them in front. */
function padTo(x: Tensor, shape: readonly number[], before: readonly number[] = shape.map(() => 0)): Tensor {
  const after = shape.map((d, i) => d - x.shape[i]! - before[i]!);
  return [...before, ...after].some((n) => n > 0) ? o.pad(x, before, after) : x;
}

/** At other strides: every `stride`-th pixel of the padded picture, image by image. */
function stridedTaps(
  g: Tensor,
  x: Tensor,
  w: Tensor,
  stride: number,
  [top, left, bottom, right]: Conv2dAttributes['pads'],
): Tensor[] {
  const [, channels, kh, kw] = w.shape as readonly [number, number, number, number];
  const [batch, out, height, width] = g.shape as readonly [number, number, number, number];
  const rows = o.reshape(g, [batch, out, height * width]);
  const padded = o.pad(x, [0, 0, top, left], [0, 0, bottom, right]);
  const every = (t: Tensor, axis: number, start: number, count: number) =>
    o.slice(t, axis, start, start + (count - 1) * stride + 1, stride);
  return grid(kh, kw, (i, j) => {
    const tap = every(every(padded, 2, i, height), 3, j, width);
    return o.sum(o.matmul(rows, o.transpose(o.reshape(tap, [batch, channels, height * width]), [0, 2, 1])), 0);
  });
}

/** fn(i, j) for the taps of a kernel, in row-major order. */
const grid = (height: number, width: number, fn: (i: number, j: number) => Tensor): Tensor[] =>
  Array.from({ length: height * width }, (_, k) => fn(Math.floor(k / width), k % width));
