/** Pictures as bytes into the planes the network sees. */

/**
 * Pictures `rows` of [n, size, size, 3] bytes as planes [rows.length, 3, size, size], x = byte/127.5 − 1 in [-1, 1].
 */
export function planesOf(images: Uint8Array, rows: ArrayLike<number>, size: number): Float32Array {
  const pixels = size * size;
  const planes = new Float32Array(rows.length * 3 * pixels);
  for (let n = 0; n < rows.length; n++) {
    const [from, to] = [rows[n]! * 3 * pixels, n * 3 * pixels];
    for (let channel = 0; channel < 3; channel++)
      for (let i = 0; i < pixels; i++) planes[to + channel * pixels + i] = images[from + 3 * i + channel]! / 127.5 - 1;
  }
  return planes;
}
