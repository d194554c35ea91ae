/**
 * Pictures at half their size, to the bit as the image library makes them. That is what a CLIP of 64 pixels needs of
 * generated pictures of 128; loading the library would take longer than drawing one.
 */

import type { RgbImage } from '../data/pictures/image.ts';

/** Lobes of the Lanczos kernel on each side, and by how much it shrinks. */
const [LOBES, SHRINK] = [3, 2];
/** Weights are whole numbers of 2^-12. */
const BITS = 12;

/**
 * A picture at half its width and height by the Lanczos kernel: columns first, each pass rounded to bytes. The edge
 * goes on beyond the picture.
 *
 * @param image its width and height are even.
 * @returns bytes [height / 2, width / 2, 3].
 */
export function halved({ width, height, data }: RgbImage): Uint8Array {
  const columns = halvedRows(data, height, 3 * width);
  const out = new Uint8Array(columns.length / 2);
  const half = width / 2;
  for (let y = 0; y < height / 2; y++) {
    // A row of pixels is a picture of `width` rows of one pixel.
    out.set(halvedRows(columns.subarray(y * 3 * width, (y + 1) * 3 * width), width, 3), y * 3 * half);
  }
  return out;
}

/** Rows [rows, stride] to half as many. */
function halvedRows(data: Uint8Array, rows: number, stride: number): Uint8Array {
  const out = new Uint8Array((rows / 2) * stride);
  for (let y = 0; y < rows / 2; y++) {
    const starts = WEIGHTS.map((_, tap) => stride * Math.min(rows - 1, Math.max(0, 2 * y + FIRST + tap)));
    for (let x = 0; x < stride; x++) {
      let sum = 1 << (BITS - 1);
      for (let tap = 0; tap < WEIGHTS.length; tap++) sum += WEIGHTS[tap]! * data[starts[tap]! + x]!;
      out[y * stride + x] = Math.min(255, Math.max(0, sum >> BITS));
    }
  }
  return out;
}

/** The first of the rows that make row y, from 2y on. */
const FIRST = 1 - LOBES * SHRINK;
const WEIGHTS = lanczosWeights();

/** Of the twelve rows from 2y - 5 to 2y + 6, whose middle lies between two rows; cut to 12 bits. */
function lanczosWeights(): readonly number[] {
  const sinc = (x: number) => Math.sin(Math.PI * x) / (Math.PI * x);
  const distances = Array.from({ length: 2 * LOBES * SHRINK }, (_, tap) => (tap + FIRST - 0.5) / SHRINK);
  const weights = distances.map((x) => sinc(x) * sinc(x / LOBES));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => Math.trunc((weight / total) * 2 ** BITS));
}
