/**
 * Resizing as Pillow does it: bicubic, antialiased when shrinking, in 8-bit fixed point. The official program prepares
 * its pictures so, and its published numbers depend on it.
 */
import type { RgbImage } from '../../src/data/pictures/image.ts';

/** Fraction bits of the fixed-point weights: with 8 bits of value and 2 of head room they fill 32. */
const PRECISION = 22;
/** The bicubic kernel reaches this many source pixels (of the coarser grid) to each side. */
const SUPPORT = 2;

/** Where the weighted pixels of one output pixel begin, and their weights scaled by 2^22. */
interface Window {
  readonly first: number;
  readonly weights: Int32Array;
}

/** `Image.resize((width, height), BICUBIC)`: rows first, rounded to bytes, then columns. */
export function resizeBicubic(image: RgbImage, width: number, height: number): RgbImage {
  const wide = width === image.width ? image : resizeRows(image, width);
  return height === image.height ? wide : transposed(resizeRows(transposed(wide), height));
}

/** The short side becomes `size`; the long one keeps the proportion, rounded down. */
export function resizeShortSide(image: RgbImage, size: number): RgbImage {
  const scale = size / Math.min(image.width, image.height);
  const along = (side: number) => (side === Math.min(image.width, image.height) ? size : Math.floor(side * scale));
  return resizeBicubic(image, along(image.width), along(image.height));
}

/** The middle square of side `size`; where the margins are odd, the smaller one is left and above. */
export function cropCenter(image: RgbImage, size: number): RgbImage {
  const left = Math.floor((image.width - size) / 2);
  const top = Math.floor((image.height - size) / 2);
  if (left < 0 || top < 0) {
    throw new RangeError(`a picture of ${image.width}x${image.height} has no middle square of ${size}`);
  }
  const data = new Uint8Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    const start = 3 * ((top + y) * image.width + left);
    data.set(image.data.subarray(start, start + 3 * size), 3 * y * size);
  }
  return { width: size, height: size, data };
}

function resizeRows({ width, height, data }: RgbImage, target: number): RgbImage {
  const windows = windowsOf(width, target);
  const resized = new Uint8Array(3 * target * height);
  for (let y = 0; y < height; y++) {
    windows.forEach(({ first, weights }, x) => {
      for (let c = 0; c < 3; c++) {
        let sum = 2 ** (PRECISION - 1);
        for (let i = 0; i < weights.length; i++) sum += weights[i]! * data[3 * (y * width + first + i) + c]!;
        resized[3 * (y * target + x) + c] = Math.min(255, Math.max(0, Math.floor(sum / 2 ** PRECISION)));
      }
    });
  }
  return { width: target, height, data: resized };
}

/** The window of every output pixel: the kernel is stretched when shrinking, so that every source pixel counts. */
function windowsOf(source: number, target: number): Window[] {
  const scale = source / target;
  const stretch = Math.max(1, scale);
  return Array.from({ length: target }, (_, x) => {
    const center = (x + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - SUPPORT * stretch + 0.5));
    const end = Math.min(source, Math.trunc(center + SUPPORT * stretch + 0.5));
    const raw = Array.from({ length: end - first }, (_, i) => cubic((first + i - center + 0.5) / stretch));
    const total = raw.reduce((sum, w) => sum + w, 0);
    return { first, weights: Int32Array.from(raw, (w) => roundAwayFromZero((w / total) * 2 ** PRECISION)) };
  });
}

/** Keys' cubic convolution kernel with a = -1/2 (1981). */
function cubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

const roundAwayFromZero = (x: number): number => Math.trunc(x + (x < 0 ? -0.5 : 0.5));

function transposed({ width, height, data }: RgbImage): RgbImage {
  const turned = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) turned[3 * (x * height + y) + c] = data[3 * (y * width + x) + c]!;
    }
  }
  return { width: height, height: width, data: turned };
}
