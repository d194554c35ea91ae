/**
 * Bytes of 16-bit numbers in two planes: all lower ones, then all upper ones. Sign and exponent lie in the upper ones,
 * alike from weight to weight, and gzip packs them a tenth better for it.
 */

/** Bytes in any number of pieces to their planes. */
export function toPlanes(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const planes = new Uint8Array(length);
  const half = Math.ceil(length / 2);
  let at = 0;
  for (const piece of pieces) for (const byte of piece) planes[(at % 2) * half + (at++ >>> 1)] = byte;
  return planes;
}

/** Planes to the bytes that they were made of. */
export function fromPlanes(planes: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(planes.length);
  const half = Math.ceil(planes.length / 2);
  for (let i = 0; i < half; i++) bytes[2 * i] = planes[i]!;
  for (let i = half; i < planes.length; i++) bytes[2 * (i - half) + 1] = planes[i]!;
  return bytes;
}
