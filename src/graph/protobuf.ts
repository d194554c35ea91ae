/**
 * The part of the protobuf wire format that ONNX files and TensorBoard's events need: fields are appended to a message,
 * messages nest.
 */

import { joinedBytes } from '../base/ndarray.ts';

const utf8 = new TextEncoder();
const ASCII = /^[\0-\x7f]*$/;

/** Chunks of at least so many bytes are kept as they are until the end; less is copied into the message at once. */
const LARGE = 4096;

/** A message that is being written: large chunks, such as weights, and a buffer of all that was written after them. */
export class Message {
  private readonly chunks: Uint8Array[] = [];
  private buffer = new Uint8Array(48);
  /** Bytes of the buffer that are written. */
  private used = 0;
  /** Bytes of the chunks. */
  private before = 0;

  /** An integer field (wire type 0). */
  int(field: number, value: number | bigint): this {
    const isSmall = typeof value === 'number' && value >= 0 && value < 2 ** 31;
    return this.varint(field << 3).varint(isSmall ? value : BigInt.asUintN(64, BigInt(value)));
  }

  /** A float field (wire type 5). */
  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.varint((field << 3) | 5).append(bytes);
  }

  /** A double field (wire type 1). */
  double(field: number, value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.varint((field << 3) | 1).append(bytes);
  }

  string(field: number, value: string): this {
    if (!ASCII.test(value)) return this.bytes(field, utf8.encode(value));
    this.varint((field << 3) | 2).varint(value.length);
    this.makeRoom(value.length);
    for (let i = 0; i < value.length; i++) this.buffer[this.used++] = value.charCodeAt(i);
    return this;
  }

  /** What is large in it is copied once, in the end, however deep it lies. */
  message(field: number, inner: Message): this {
    this.varint((field << 3) | 2).varint(inner.before + inner.used);
    for (const chunk of inner.chunks) this.append(chunk);
    return this.append(inner.written());
  }

  /** A length-delimited field (wire type 2). */
  bytes(field: number, value: Uint8Array): this {
    return this.varint((field << 3) | 2)
      .varint(value.length)
      .append(value);
  }

  encode(): Uint8Array {
    return joinedBytes([...this.chunks, this.written()]);
  }

  /** A whole number of at least 0; as a number below 2^31. */
  private varint(value: bigint | number): this {
    this.makeRoom(10);
    let rest = value;
    if (typeof rest === 'bigint') for (; rest > 127n; rest >>= 7n) this.buffer[this.used++] = Number(rest & 127n) | 128;
    else for (; rest > 127; rest >>= 7) this.buffer[this.used++] = (rest & 127) | 128;
    this.buffer[this.used++] = Number(rest);
    return this;
  }

  private append(chunk: Uint8Array): this {
    if (chunk.length < LARGE) {
      this.makeRoom(chunk.length);
      this.buffer.set(chunk, this.used);
      this.used += chunk.length;
      return this;
    }
    this.chunks.push(this.written(), chunk);
    this.before += this.used + chunk.length;
    this.buffer = new Uint8Array(48);
    this.used = 0;
    return this;
  }

  private written(): Uint8Array {
    return this.buffer.subarray(0, this.used);
  }

  private makeRoom(count: number): void {
    if (this.used + count <= this.buffer.length) return;
    const larger = new Uint8Array(Math.max(2 * this.buffer.length, this.used + count));
    larger.set(this.written());
    this.buffer = larger;
  }
}
