/**
 * Buffers in which feeds travel to the worker and come back. A step is fed megabytes of noise and pictures; were they
 * cloned on their way, the worker would hold as many copies as its garbage collector lets lie.
 */

import { type NDArray, overBuffer } from '../base/ndarray.ts';
import type { Arrays } from './protocol.ts';

/** Buffers for feeds, reused from run to run. */
export class FeedBuffers {
  /** Buffers that are free, by their length. */
  private readonly free = new Map<number, ArrayBuffer[]>();

  /** Copies of arrays, and the buffers that they lie in: to be handed over. */
  pack(arrays: Arrays): { readonly arrays: Arrays; readonly buffers: ArrayBuffer[] } {
    const copies = Object.entries(arrays).map(([name, array]) => [name, this.copyOf(array)] as const);
    return { arrays: Object.fromEntries(copies), buffers: copies.map(([, { data }]) => data.buffer as ArrayBuffer) };
  }

  takeBack(buffers: readonly ArrayBuffer[]): void {
    for (const buffer of buffers) {
      const alike = this.free.get(buffer.byteLength);
      if (alike) alike.push(buffer);
      else this.free.set(buffer.byteLength, [buffer]);
    }
  }

  private copyOf(array: NDArray): NDArray {
    const { buffer, byteOffset, byteLength } = array.data;
    const copy = this.free.get(byteLength)?.pop() ?? new ArrayBuffer(byteLength);
    new Uint8Array(copy).set(new Uint8Array(buffer, byteOffset, byteLength));
    return overBuffer(copy, array);
  }
}
