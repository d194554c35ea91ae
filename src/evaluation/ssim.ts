/** SSIM (Wang et al., 2004): how alike two pictures are in luminance, contrast and structure. */

import type { RgbImage } from '../data/pictures/image.ts';

const RADIUS = 5;
const SIGMA = 1.5;
const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;

/** The Gaussian window, normalised; a picture of fewer than 11 pixels a side has a smaller one. */
function windowOf(radius: number): Float64Array {
  const taps = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * SIGMA ** 2)),
  );
  const sum = taps.reduce((a, b) => a + b, 0);
  return taps.map((tap) => tap / sum);
}

/**
 * Mean SSIM over the positions at which the 11x11 Gaussian window lies within the picture, and over the three channels;
 * in [-1, 1], and 1 for equal pictures.
 * @throws RangeError where the sizes differ.
 */
export function ssim(a: RgbImage, b: RgbImage): number {
  if (a.width !== b.width || a.height !== b.height) throw new RangeError('SSIM compares pictures of one size');
  const radius = Math.min(RADIUS, Math.floor((Math.min(a.width, a.height) - 1) / 2));
  const blur = blurred(a.width, a.height, windowOf(radius));
  let total = 0;
  let positions = 0;
  for (let c = 0; c < 3; c++) {
    const x = channel(a, c);
    const y = channel(b, c);
    const product = (p: Float64Array, q: Float64Array) => blur(p.map((value, i) => value * q[i]!));
    const [mx, my, xx, yy, xy] = [blur(x), blur(y), product(x, x), product(y, y), product(x, y)];
    positions += mx.length;
    for (let i = 0; i < mx.length; i++) {
      const [u, v] = [mx[i]!, my[i]!];
      const luminance = (2 * u * v + C1) / (u * u + v * v + C1);
      total += (luminance * (2 * (xy[i]! - u * v) + C2)) / (xx[i]! - u * u + (yy[i]! - v * v) + C2);
    }
  }
  return total / positions;
}

const channel = ({ data }: RgbImage, c: number): Float64Array =>
  Float64Array.from({ length: data.length / 3 }, (_, i) => data[3 * i + c]!);

/** A plane under the window, rows first and then columns, where the window fits. */
function blurred(width: number, height: number, taps: Float64Array): (plane: Float64Array) => Float64Array {
  const [w, h] = [width - taps.length + 1, height - taps.length + 1];
  return (plane) => {
    const rows = new Float64Array(w * height);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < w; x++)
        for (let k = 0; k < taps.length; k++) rows[y * w + x]! += taps[k]! * plane[y * width + x + k]!;
    const out = new Float64Array(w * h);
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++)
        for (let k = 0; k < taps.length; k++) out[y * w + x]! += taps[k]! * rows[(y + k) * w + x]!;
    return out;
  };
}
