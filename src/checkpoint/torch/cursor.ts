/** A reader that moves forward through a pickle, fetching a window of bytes at a time. */
import { type ByteSource, damaged } from './bytes.ts';

const WINDOW_BYTES = 2 ** 16;
/** Pickles hold names and numbers, not weights: a few kilobytes a layer. */
const MAX_PICKLE_BYTES = 2 ** 26;

/** The position in a pickle, and the window of bytes around it. */
export class Cursor {
  readonly #source: ByteSource;
  readonly #end: number;
  #window = new Uint8Array();
  #windowBegin: number;
  #position: number;

  /** Reads on from `begin`, to the end of the source or the largest pickle there may be. */
  constructor(source: ByteSource, begin = 0) {
    this.#source = source;
    this.#end = Math.min(source.size, begin + MAX_PICKLE_BYTES);
    this.#position = begin;
    this.#windowBegin = begin;
  }

  get label(): string {
    return this.#source.label;
  }

  /** Where the next byte stands in the source. */
  get position(): number {
    return this.#position;
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  /** The next `count` bytes; they are the caller's only until the next call. */
  take(count: number): Uint8Array {
    const next = this.#position + count;
    if (next > this.#end) throw damaged(this.label, 'its pickle is cut off');
    if (next > this.#windowBegin + this.#window.length) {
      const end = Math.min(this.#end, this.#position + Math.max(count, WINDOW_BYTES));
      this.#window = this.#source.read(this.#position, end);
      this.#windowBegin = this.#position;
    }
    const at = this.#position - this.#windowBegin;
    this.#position = next;
    return this.#window.subarray(at, at + count);
  }

  /** A little-endian unsigned number of 1, 2, 4 or 8 bytes. */
  unsigned(bytes: 1 | 2 | 4 | 8): number {
    const raw = this.take(bytes);
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + raw[i]!;
    return value;
  }

  /** Text up to the next line feed. */
  line(): string {
    let line = '';
    for (let byte = this.byte(); byte !== 0x0a; byte = this.byte()) {
      if (line.length > 1000) throw damaged(this.label, 'a name in its pickle does not end');
      line += String.fromCharCode(byte);
    }
    return line;
  }

  /** `bytes` bytes of UTF-8. */
  text(bytes: number): string {
    const raw = this.take(bytes);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
    } catch {
      throw damaged(this.label, 'a text in its pickle is not UTF-8');
    }
  }
}
