/** Pictures in memory, for stages under test. */

import type { PictureReader } from '../../src/data/cache/reader.ts';

/** Bytes [n, side, side, 3] as a reader; every view of a picture is the same. */
export function picturesOf(bytes: Uint8Array, side: number): PictureReader {
  const stride = 3 * side * side;
  return {
    size: bytes.length / stride,
    async read(picks) {
      const taken = new Uint8Array(picks.length * stride);
      picks.forEach(({ row }, i) => {
        taken.set(bytes.subarray(row * stride, (row + 1) * stride), i * stride);
      });
      return taken;
    },
  };
}
