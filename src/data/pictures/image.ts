/** Pictures as bytes, and as the [-1, 1] planes the networks see. */

/** An 8-bit sRGB picture: `data` is [height, width, 3], row-major, channels interleaved. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * Stacks pictures of one size into planes: [batch, 3, height, width], x = byte / 127.5 − 1 in [-1, 1].
 * Throws a RangeError when the sizes differ.
 */
export function toPlanar(images: readonly RgbImage[]): Float32Array {
  const [first] = images;
  if (!first) return new Float32Array(0);
  const plane = first.width * first.height;
  const planes = new Float32Array(images.length * 3 * plane);
  images.forEach((image, n) => {
    requireSameSize(first, image);
    const start = n * 3 * plane;
    for (let i = 0; i < plane; i++) {
      for (let c = 0; c < 3; c++) planes[start + c * plane + i] = image.data[3 * i + c]! / 127.5 - 1;
    }
  });
  return planes;
}

/**
 * The inverse of `toPlanar`: [batch, 3, height, width] in [-1, 1] to pictures, clamped and rounded to the nearest byte.
 * NaN becomes black. Throws a RangeError when `data` has another length.
 */
export function fromPlanar(data: Float32Array, batch: number, height: number, width: number): RgbImage[] {
  const plane = height * width;
  if (data.length !== batch * 3 * plane) {
    throw new RangeError(`fromPlanar: ${data.length} values are not [${batch}, 3, ${height}, ${width}]`);
  }
  return Array.from({ length: batch }, (_, n) => {
    const bytes = new Uint8Array(3 * plane);
    const start = n * 3 * plane;
    for (let i = 0; i < plane; i++) {
      for (let c = 0; c < 3; c++) bytes[3 * i + c] = toByte(data[start + c * plane + i]!);
    }
    return { width, height, data: bytes };
  });
}

/** Peak signal-to-noise ratio in dB, 10 log10(255² / MSE) over all channels; Infinity for equal pictures. */
export function psnr(a: RgbImage, b: RgbImage): number {
  requireSameSize(a, b);
  let squared = 0;
  for (let i = 0; i < a.data.length; i++) squared += (a.data[i]! - b.data[i]!) ** 2;
  return 10 * Math.log10(255 ** 2 / (squared / a.data.length));
}

function toByte(x: number): number {
  return Math.round(Math.min(1, Math.max(-1, x)) * 127.5 + 127.5);
}

function requireSameSize(a: RgbImage, b: RgbImage): void {
  if (a.width !== b.width || a.height !== b.height) {
    throw new RangeError(`pictures differ in size: ${a.width}x${a.height} and ${b.width}x${b.height}`);
  }
}

/** Pictures of one size, one after another: [n, height, width, 3] bytes. */
export function packImages(images: readonly RgbImage[]): Uint8Array {
  const size = images[0]?.data.length ?? 0;
  const bytes = new Uint8Array(images.length * size);
  images.forEach((image, i) => {
    bytes.set(image.data, i * size);
  });
  return bytes;
}
