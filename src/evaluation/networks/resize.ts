/** How pictures are brought to the size of a network, as those resize them that its published numbers are of. */

import type { RgbImage } from '../../data/pictures/image.ts';

/**
 * Rows of weights `[to, from]` of bilinear interpolation without smoothing, corners not aligned: PyTorch's
 * `interpolate(mode='bilinear', align_corners=False)` along one axis.
 */
export function bilinearRows(from: number, to: number): Float32Array {
  const rows = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const at = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const low = Math.min(from - 1, Math.floor(at));
    const high = Math.min(from - 1, low + 1);
    rows[i * from + low]! += 1 - (at - low);
    rows[i * from + high]! += at - low;
  }
  return rows;
}

/** Keys' cubic kernel at distance `x`. `a` is its slope at 1: -0.5 in Pillow, -0.75 in PyTorch. */
export function cubic(x: number, a: number): number {
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

/** Pillow computes with weights that are whole numbers of so many parts. */
const ONE = 2 ** 22;

interface Taps {
  readonly first: number;
  /** Whole numbers; they sum to about `ONE`. */
  readonly weights: readonly number[];
}

/** For each place of the result the places it is made of: smoothed where the picture becomes smaller. */
function bicubicTaps(from: number, to: number): Taps[] {
  const scale = from / to;
  const reach = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.round(centre - 2 * reach));
    const end = Math.min(from, Math.round(centre + 2 * reach));
    const weights = Array.from({ length: end - first }, (_, k) => cubic((first + k + 0.5 - centre) / reach, -0.5));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((weight) => Math.sign(weight) * Math.round((Math.abs(weight) / sum) * ONE)) };
  });
}

const toByte = (sum: number): number => Math.min(255, Math.max(0, Math.floor((sum + ONE / 2) / ONE)));

/**
 * A picture at `side` x `side`, bicubic with smoothing, rounded to bytes after rows and after columns: Pillow's, byte
 * for byte.
 */
export function bicubic({ width, height, data }: RgbImage, side: number): RgbImage {
  const across = bicubicTaps(width, side);
  const wide = new Uint8Array(height * side * 3);
  for (let y = 0; y < height; y++)
    for (const [x, { first, weights }] of across.entries())
      for (let c = 0; c < 3; c++)
        wide[3 * (y * side + x) + c] = toByte(
          weights.reduce((sum, weight, k) => sum + weight * data[3 * (y * width + first + k) + c]!, 0),
        );
  const down = bicubicTaps(height, side);
  const result = new Uint8Array(side * side * 3);
  for (const [y, { first, weights }] of down.entries())
    for (let x = 0; x < side; x++)
      for (let c = 0; c < 3; c++)
        result[3 * (y * side + x) + c] = toByte(
          weights.reduce((sum, weight, k) => sum + weight * wide[3 * ((first + k) * side + x) + c]!, 0),
        );
  return { width: side, height: side, data: result };
}
