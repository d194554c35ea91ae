/**
 * 3x3 convolution of stride 2 as one matrix product: the nine inputs of each output lie side by side in a row, and all
 * rows meet the weights at once; the gradient of an input is gathered from the places at which it is read. (At stride 1
 * Winograd's algorithm, `winograd.ts`, is as fast where pictures are small, and faster where they are not.)
 */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { KERNEL, TAPS } from './kernel-layout.ts';
import { rowsAt } from './layers.ts';

const STRIDE = 2;
/** As many patches at most hold one input: two along each axis. */
const SHARED = 4;

/**
 * Convolution of stride 2 of `x` [batch, side·side, in], with a row and a column of zeros behind the last, by `taps`
 * [3, 3, in, out] (`kernel-layout.ts`): [batch, (side/2)², out]. The side must be even.
 */
export function conv3x3Stride2(taps: Tensor, x: Tensor): Tensor {
  const [batch, tokens] = x.shape as readonly [number, number];
  const [, , from, to] = taps.shape as readonly [number, number, number, number];
  const inputs = inputsOf(batch, Math.sqrt(tokens));
  const patches = g.reshape(rowsAt(g.reshape(x, [-1, from]), inputs), [-1, TAPS * from]);
  const matrix = g.reshape(taps, [TAPS * from, to]);
  const y = g.reshape(g.matmul(patches, matrix), [batch, -1, to]);
  return g.withGradient(y, [taps, x], (gradient) => {
    const rows = g.reshape(gradient, [-1, to]);
    const toPatches = g.reshape(g.matmul(rows, g.transpose(matrix, [1, 0])), [-1, from]);
    const shares = g.reshape(rowsAt(toPatches, placesOf(inputs, batch * tokens)), [-1, SHARED, from]);
    return [g.reshape(g.matmul(g.transpose(patches, [1, 0]), rows), taps.shape), g.reshape(g.sum(shares, 1), x.shape)];
  });
}

/** The input that each output reads by each tap, by row numbers over all pictures; -1 beyond the last row or column. */
function inputsOf(batch: number, side: number): Int32Array {
  const outSide = side / STRIDE;
  return new Int32Array(batch * outSide ** 2 * TAPS).map((_, i) => {
    const [output, tap] = [Math.floor(i / TAPS), i % TAPS];
    const [picture, within] = [Math.floor(output / outSide ** 2), output % outSide ** 2];
    const row = STRIDE * Math.floor(within / outSide) + Math.floor(tap / KERNEL);
    const column = STRIDE * (within % outSide) + (tap % KERNEL);
    return row < side && column < side ? (picture * side + row) * side + column : -1;
  });
}

/** The inverse: for each of `count` inputs the places at which it is read, -1 where there are fewer. */
function placesOf(inputs: Int32Array, count: number): Int32Array {
  const places = new Int32Array(count * SHARED).fill(-1);
  const found = new Int32Array(count);
  inputs.forEach((input, place) => {
    if (input >= 0) places[input * SHARED + found[input]!++] = place;
  });
  return places;
}
