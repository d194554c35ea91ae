/**
 * Pictures at half their size, to the bit as the image library makes them. That is what a CLIP of 64 pixels needs of
 * generated pictures of 128; loading the library would take longer than drawing one.
 */

import type { RgbImage } from '../../data/pictures/image.ts';

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
  return halvedAxis(halvedAxis(data, 1, height, 3 * width), height / 2, width, 3);
}

/** Bytes [outer, length, inner] to half the length. */
function halvedAxis(data: Uint8Array, outer: number, length: number, inner: number): Uint8Array {
  const out = new Uint8Array(data.length / 2);
  const half = length / 2;
  for (let y = 0; y < half; y++) {
    const taps = WEIGHTS.map((_, tap) => inner * Math.min(length - 1, Math.max(0, 2 * y + FIRST + tap)));
    for (let o = 0; o < outer; o++)
      for (let x = 0; x < inner; x++) {
        const from = o * length * inner + x;
        let sum = 1 << (BITS - 1);
        for (let tap = 0; tap < WEIGHTS.length; tap++) sum += WEIGHTS[tap]! * data[from + taps[tap]!]!;
        out[(o * half + y) * inner + x] = Math.min(255, Math.max(0, sum >> BITS));
      }
  }
  return out;
}

/** The first place of those that make place y, from 2y on. */
const FIRST = 1 - LOBES * SHRINK;
const WEIGHTS = lanczosWeights();

/** Of the twelve places from 2y - 5 to 2y + 6, whose middle lies between two; cut to 12 bits. */
function lanczosWeights(): readonly number[] {
  const sinc = (x: number) => Math.sin(Math.PI * x) / (Math.PI * x);
  const distances = Array.from({ length: 2 * LOBES * SHRINK }, (_, tap) => (tap + FIRST - 0.5) / SHRINK);
  const weights = distances.map((x) => sinc(x) * sinc(x / LOBES));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => Math.trunc((weight / total) * 2 ** BITS));
}
