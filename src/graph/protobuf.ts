/**
 * The part of the protobuf wire format that ONNX files and TensorBoard's events need: fields are appended to a message,
 * messages nest.
 */

import { joinedBytes } from '../base/ndarray.ts';

const utf8 = new TextEncoder();
/**
 * Text whose characters are its bytes, as nearly all names are: written without the encoder, which costs more than all
 * else.
 */
const ASCII = /^[\0-\x7f]*$/;

/** Bytes of a chunk from which on it is kept as it is; smaller ones are copied as messages nest. */
const LARGE = 4096;

/** A message that is being written: small fields in a buffer that grows, large ones as they are. */
export class Message {
  /** What is finished. */
  private readonly chunks: Uint8Array[] = [];
  /** What follows it, up to `used`. */
  private buffer = new Uint8Array(64);
  private used = 0;
  /** Bytes in all. */
  private length = 0;

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
    this.length += value.length;
    return this;
  }

  message(field: number, { chunks, buffer, used, length }: Message): this {
    this.varint((field << 3) | 2).varint(length);
    for (const chunk of chunks) this.append(chunk);
    return this.append(buffer, used);
  }

  /** A length-delimited field (wire type 2). */
  bytes(field: number, value: Uint8Array): this {
    return this.varint((field << 3) | 2)
      .varint(value.length)
      .append(value);
  }

  encode(): Uint8Array {
    return joinedBytes([...this.chunks, this.buffer.subarray(0, this.used)]);
  }

  /** A whole number of at least 0; as a number below 2^31. */
  private varint(value: bigint | number): this {
    this.makeRoom(10);
    const before = this.used;
    let rest = value;
    if (typeof rest === 'bigint') for (; rest > 127n; rest >>= 7n) this.buffer[this.used++] = Number(rest & 127n) | 128;
    else for (; rest > 127; rest >>= 7) this.buffer[this.used++] = (rest & 127) | 128;
    this.buffer[this.used++] = Number(rest);
    this.length += this.used - before;
    return this;
  }

  /** The first bytes of a chunk, by default all. */
  private append(chunk: Uint8Array, length = chunk.length): this {
    this.length += length;
    if (length >= LARGE) {
      this.chunks.push(this.buffer.subarray(0, this.used), chunk.subarray(0, length));
      this.buffer = new Uint8Array(64);
      this.used = 0;
      return this;
    }
    this.makeRoom(length);
    for (let i = 0; i < length; i++) this.buffer[this.used++] = chunk[i]!;
    return this;
  }

  private makeRoom(length: number): void {
    if (this.used + length <= this.buffer.length) return;
    const larger = new Uint8Array(2 * (this.used + length));
    larger.set(this.buffer.subarray(0, this.used));
    this.buffer = larger;
  }
}
