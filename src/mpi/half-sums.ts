/**
 * Gradients that travel as float16: half the bytes of every sum, for links that are the bottleneck. MPI adds up no
 * halves, and a sum of halves would round at every addition: each rank is sent one part of what all have, adds it up in
 * float32, and sends the sum to all.
 */

import { float16ToFloat32, float32ToFloat16 } from '../checkpoint/half.ts';
import type { Ranks } from './ranks.ts';

/** The same ranks, with gradients that travel as float16. */
export function withHalfGradients(ranks: Ranks): Ranks {
  return {
    rank: ranks.rank,
    size: ranks.size,
    times: ranks.times,
    sum: (data) => ranks.sum(data),
    sumGradients: (data) => sumAsHalves(ranks, data),
    max: (values) => ranks.max(values),
    gather: (bytes) => ranks.gather(bytes),
    exchange: (parts) => ranks.exchange(parts),
    broadcast: (bytes) => ranks.broadcast(bytes),
    barrier: () => ranks.barrier(),
  };
}

/**
 * Adds up an array over all ranks, in place. Every number is rounded to float16 twice: before it is added to those of
 * other ranks, and as the sum. The result is the same on all ranks, bit for bit. What is not finite stays so.
 */
export async function sumAsHalves(ranks: Ranks, data: Float32Array): Promise<void> {
  const { size } = ranks;
  if (size === 1) return;
  const length = Math.ceil(data.length / size);
  const parts = Array.from({ length: size }, (_, i) => packed(data.subarray(i * length, (i + 1) * length), length));
  const mine = new Float32Array(length);
  for (const part of await ranks.exchange(parts)) {
    const values = unpacked(part);
    for (let i = 0; i < length; i++) mine[i] = mine[i]! + values[i]!;
  }
  for (const [i, part] of (await ranks.gather(packed(mine, length))).entries())
    data.set(unpacked(part).subarray(0, Math.max(0, data.length - i * length)), Math.min(data.length, i * length));
}

/** Bytes before the halves: what they are to be multiplied by, float32. */
const HEAD = 4;
/** The largest of the numbers comes to lie below this: sums and roundings cannot overflow. */
const LARGEST = 2 ** 15;

/**
 * So many numbers as float16, zeros behind those that there are. All are multiplied by one power of two that makes the
 * largest one large, so that those down to 2^-29 of it keep their 11 digits.
 */
function packed(values: Float32Array, length: number): Uint8Array {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!));
  // A power of two, so that it changes no digit; it and its inverse are normal float32.
  const exponent = Number.isFinite(largest) && largest > 0 ? Math.floor(Math.log2(LARGEST / largest)) : 0;
  const scale = 2 ** Math.min(126, exponent);
  const bytes = new Uint8Array(HEAD + 2 * length);
  new Float32Array(bytes.buffer, 0, 1)[0] = 1 / scale;
  const scaled = new Float32Array(values.length);
  for (let i = 0; i < scaled.length; i++) scaled[i] = values[i]! * scale;
  new Uint16Array(bytes.buffer, HEAD).set(float32ToFloat16(scaled));
  return bytes;
}

function unpacked(bytes: Uint8Array): Float32Array {
  // What came from other ranks may begin anywhere.
  const own = bytes.slice();
  const scale = new Float32Array(own.buffer, 0, 1)[0]!;
  const values = float16ToFloat32(new Uint16Array(own.buffer, HEAD));
  for (let i = 0; i < values.length; i++) values[i] = values[i]! * scale;
  return values;
}
