/**
 * 3x3 convolution as one matrix product: the nine inputs of each output lie side by side in a row, and all rows meet the weights at
 * once. Where there are few outputs that is less work than Winograd's algorithm (`winograd.ts`), whose transformed weights are four
 * times as large as the weights however small the picture is.
 */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { int32, zeros } from '../ndarray.ts';

const KERNEL = 3;
const TAPS = KERNEL * KERNEL;

/** How a kernel goes over square pictures. */
interface Geometry {
  readonly batch: number;
  readonly side: number;
  readonly outSide: number;
  readonly stride: number;
  /** Rows and columns of zeros before the first. */
  readonly before: number;
}

/**
 * Convolution of `x` [batch, side·side, in] with `taps` [3, 3, in, out] (`taps.ts`): [batch, outSide·outSide, out]. At stride 1 a border
 * of zeros keeps the side, at stride 2 one row and column of them behind the last give half of it.
 */
export function conv3x3Patches(taps: Tensor, x: Tensor, stride: 1 | 2 = 1): Tensor {
  const [batch, tokens] = x.shape as readonly [number, number];
  const [, , from, to] = taps.shape as readonly [number, number, number, number];
  const side = Math.sqrt(tokens);
  const geometry: Geometry = { batch, side, outSide: Math.floor(side / stride), stride, before: 2 - stride };
  const patches = nines(x, inputsOf(geometry));
  const y = g.matmul(patches, g.reshape(taps, [TAPS * from, to]));
  return g.withGradient(g.reshape(y, [batch, -1, to]), [taps, x], (gradient) => {
    const backwards = g.transpose(g.reshape(taps, [TAPS, from, to]), [0, 2, 1]);
    return [
      g.reshape(g.matmul(g.transpose(patches, [1, 0]), g.reshape(gradient, [-1, to])), taps.shape),
      g.reshape(g.matmul(nines(gradient, outputsOf(geometry)), g.reshape(backwards, [TAPS * to, from])), x.shape),
    ];
  });
}

/** The rows of `x` [batch, tokens, channels] that `places` says, nine in a row: [n, 9 · channels]. Place -1 is zeros. */
function nines(x: Tensor, places: Int32Array): Tensor {
  const [batch, tokens, channels] = x.shape as readonly [number, number, number];
  const zero = batch * tokens;
  const rows = g.concat([g.reshape(x, [zero, channels]), g.constant(zeros([1, channels]))], 0);
  const index = places.map((place) => (place < 0 ? zero : place));
  return g.reshape(g.gather(rows, g.constant(int32(index, [index.length]))), [-1, TAPS * channels]);
}

/** For each output and tap the input that it reads. */
const inputsOf = ({ batch, side, outSide, stride, before }: Geometry): Int32Array =>
  partners(batch, outSide, side, (at, tap) => at * stride + tap - before);

/** For each input and tap the output that reads it so. */
const outputsOf = ({ batch, side, outSide, stride, before }: Geometry): Int32Array =>
  partners(batch, side, outSide, (at, tap) => (at + before - tap) / stride);

/**
 * For each place of a grid and each tap the place of another grid that goes with it, by row numbers over all pictures, or -1.
 * @param partner the other's coordinate, along one axis; outside of it or between two places there is none.
 */
function partners(
  batch: number,
  side: number,
  otherSide: number,
  partner: (at: number, tap: number) => number,
): Int32Array {
  const coordinate = (at: number, tap: number) => {
    const other = partner(at, tap);
    return Number.isInteger(other) && other >= 0 && other < otherSide ? other : undefined;
  };
  return new Int32Array(batch * side * side * TAPS).map((_, i) => {
    const [place, tap] = [Math.floor(i / TAPS), i % TAPS];
    const [picture, within] = [Math.floor(place / side ** 2), place % side ** 2];
    const row = coordinate(Math.floor(within / side), Math.floor(tap / KERNEL));
    const column = coordinate(within % side, tap % KERNEL);
    return row === undefined || column === undefined ? -1 : (picture * otherSide + row) * otherSide + column;
  });
}
