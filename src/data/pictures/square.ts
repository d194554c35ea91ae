/** How the part of a picture that a network sees is resized. */

import type { Sharp } from 'sharp';
import type { Rectangle } from './crop.ts';
import { sharp } from './sharp.ts';

/**
 * So many times the square's side is what the decoder's library reduces much larger pictures to: quick, but it averages
 * whole pixels first, which shows where it does all of the reduction. The rest is done exactly.
 */
const FINE = 4;

/**
 * Part `box` of an opaque picture as [imageSize, imageSize, 3] bytes of sRGB: cropped first, so that what is kept is
 * exactly what `box` says, then resized (Lanczos 3).
 */
export async function resizedSquare(
  picture: Sharp,
  { width, height }: { readonly width: number; readonly height: number },
  box: Rectangle,
  imageSize: number,
  background: string,
): Promise<Uint8Array> {
  if (box.width > width || box.height > height) return padded(picture, { width, height }, box, imageSize, background);
  const [left, top] = [Math.floor(box.left), Math.floor(box.top)];
  const region = {
    left,
    top,
    width: Math.min(width - left, Math.ceil(box.left + box.width) - left),
    height: Math.min(height - top, Math.ceil(box.top + box.height) - top),
  };
  const reduced = (length: number, kept: number) =>
    kept > 2 * FINE * imageSize ? Math.ceil((FINE * imageSize * length) / kept) : length;
  const [w, h] = [reduced(region.width, box.width), reduced(region.height, box.height)];
  const pixels = await bytesOf(picture.extract(region).resize(w, h, { fit: 'fill', kernel: 'lanczos3' }));
  const [x, y] = [w / region.width, h / region.height];
  const within = {
    left: x * (box.left - left),
    top: y * (box.top - top),
    width: x * box.width,
    height: y * box.height,
  };
  return lanczos(pixels, w, h, within, imageSize);
}

/** The picture resized whole, in the middle of the background. */
async function padded(
  picture: Sharp,
  { width, height }: { readonly width: number; readonly height: number },
  box: Rectangle,
  imageSize: number,
  background: string,
): Promise<Uint8Array> {
  const scaled = (length: number) => Math.max(1, Math.round((length * imageSize) / box.width));
  const [w, h] = [scaled(width), scaled(height)];
  const [left, top] = [(imageSize - w) >> 1, (imageSize - h) >> 1];
  const inner = await bytesOf(picture.resize(w, h, { fit: 'fill', kernel: 'lanczos3' }));
  const framed = sharp(inner, { raw: { width: w, height: h, channels: 3 } }).extend({
    left,
    top,
    right: imageSize - w - left,
    bottom: imageSize - h - top,
    background,
  });
  return bytesOf(framed);
}

async function bytesOf(picture: Sharp): Promise<Uint8Array> {
  const data = await picture.toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer();
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * Part `box` of [height, width, 3] bytes as [side, side, 3], first along rows and then along columns: each result is
 * the mean of the pixels around its centre under a Lanczos window of three lobes, as wide as the reduction requires.
 */
export function lanczos(pixels: Uint8Array, width: number, height: number, box: Rectangle, side: number): Uint8Array {
  const across = windows(width, box.left, box.width, side);
  const down = windows(height, box.top, box.height, side);
  const rows = new Float32Array(height * side * 3);
  for (let y = 0; y < height; y++)
    across.forEach(({ first, weights }, x) => {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let i = 0; i < weights.length; i++) sum += weights[i]! * pixels[3 * (y * width + first + i) + c]!;
        rows[3 * (y * side + x) + c] = sum;
      }
    });
  const square = new Uint8Array(3 * side * side);
  down.forEach(({ first, weights }, y) => {
    for (let x = 0; x < 3 * side; x++) {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i]! * rows[3 * (first + i) * side + x]!;
      square[3 * y * side + x] = Math.min(255, Math.max(0, Math.round(sum)));
    }
  });
  return square;
}

/**
 * For each of `side` results along a line: the first pixel that counts, and the weights from there on, which sum to 1.
 */
function windows(length: number, start: number, extent: number, side: number) {
  const scale = extent / side;
  const reach = 3 * Math.max(1, scale);
  return Array.from({ length: side }, (_, i) => {
    const centre = start + (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - reach));
    const last = Math.min(length, Math.ceil(centre + reach));
    const weights = Array.from({ length: last - first }, (_unused, k) =>
      kernel((first + k + 0.5 - centre) / Math.max(1, scale)),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/** sinc(x) sinc(x / 3) within three of the centre. */
function kernel(x: number): number {
  if (x === 0) return 1;
  if (Math.abs(x) >= 3) return 0;
  const angle = Math.PI * x;
  return (3 * Math.sin(angle) * Math.sin(angle / 3)) / angle ** 2;
}
