/** The slots of keys, in memory. */

/** Bytes of a key: the 128 bits that name a picture's content. */
export const KEY = 16;

/**
 * Numbers keys from 0 in the order in which they are added, keeps a checksum with each, and finds a key's number, its
 * slot, by open addressing. In typed arrays, so that a key takes 28 to 44 bytes.
 */
export class KeyTable {
  #size = 0;
  #keys = new Uint8Array(0);
  #checksums = new Uint32Array(0);
  /** Slot + 1 of a key, 0 where there is none. At most half full. */
  #table = new Int32Array(64);

  /** Number of keys. */
  get size(): number {
    return this.#size;
  }

  /** The slot of a key of 16 bytes, or −1. */
  slotOf(key: Uint8Array): number {
    return this.#table[this.#place(key, 0)]! - 1;
  }

  keyOf(slot: number): Uint8Array {
    return this.#keys.subarray(slot * KEY, (slot + 1) * KEY);
  }

  checksumOf(slot: number): number {
    return this.#checksums[slot]!;
  }

  /** Make room for `count` more keys at once. */
  reserve(count: number): void {
    const size = this.#size + count;
    const capacity = this.#checksums.length;
    if (size > capacity) {
      const next = Math.max(size, Math.ceil(capacity * 1.5), 64);
      const [keys, checksums] = [new Uint8Array(next * KEY), new Uint32Array(next)];
      keys.set(this.#keys);
      checksums.set(this.#checksums);
      [this.#keys, this.#checksums] = [keys, checksums];
    }
    if (2 * size > this.#table.length) this.rebuild(2 ** Math.ceil(Math.log2(2 * size)));
  }

  /** Give a key the next slot, for which there must be room (`reserve`). One that is there already moves to it. */
  add(key: Uint8Array, checksum: number): void {
    const slot = this.#size++;
    this.#keys.set(key, slot * KEY);
    this.#checksums[slot] = checksum;
    this.#table[this.#place(this.#keys, slot * KEY)] = slot + 1;
  }

  /** Forget what a slot holds: the last key moves there. `rebuild` follows before a key is looked up. */
  replaceByLast(slot: number): void {
    const last = --this.#size;
    this.#keys.copyWithin(slot * KEY, last * KEY, (last + 1) * KEY);
    this.#checksums[slot] = this.#checksums[last]!;
  }

  /** Enter all keys anew, into a table of `length` places, a power of two. */
  rebuild(length = this.#table.length): void {
    this.#table = new Int32Array(length);
    for (let slot = 0; slot < this.#size; slot++) this.#table[this.#place(this.#keys, slot * KEY)] = slot + 1;
  }

  /** The place in the table where the key at `offset` of `bytes` is, or would be. */
  #place(bytes: Uint8Array, offset: number): number {
    const mask = this.#table.length - 1;
    // Keys are hashes already.
    let at =
      (bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)) & mask;
    for (;;) {
      const slot = this.#table[at]! - 1;
      if (slot < 0 || this.#isKey(slot, bytes, offset)) return at;
      at = (at + 1) & mask;
    }
  }

  #isKey(slot: number, bytes: Uint8Array, offset: number): boolean {
    for (let i = 0; i < KEY; i++) if (this.#keys[slot * KEY + i] !== bytes[offset + i]) return false;
    return true;
  }
}
