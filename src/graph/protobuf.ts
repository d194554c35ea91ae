/**
 * The part of the protobuf wire format that ONNX files and TensorBoard's events need: fields are appended to a message,
 * messages nest.
 */

import { joinedBytes } from '../base/ndarray.ts';

const utf8 = new TextEncoder();

/** A message that is being written, as chunks of bytes. */
export class Message {
  private readonly chunks: Uint8Array[] = [];
  /** Bytes of the chunks. */
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
    return this.bytes(field, utf8.encode(value));
  }

  /** Its chunks as they are: what lies deep in messages is copied once, in the end. */
  message(field: number, { chunks, length }: Message): this {
    this.varint((field << 3) | 2).varint(length);
    for (const chunk of chunks) this.append(chunk);
    return this;
  }

  /** A length-delimited field (wire type 2). */
  bytes(field: number, value: Uint8Array): this {
    return this.varint((field << 3) | 2)
      .varint(value.length)
      .append(value);
  }

  encode(): Uint8Array {
    return joinedBytes(this.chunks);
  }

  /** A whole number of at least 0; as a number below 2^31. */
  private varint(value: bigint | number): this {
    const bytes: number[] = [];
    let rest = value;
    if (typeof rest === 'bigint') for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    else for (; rest > 127; rest >>= 7) bytes.push((rest & 127) | 128);
    bytes.push(Number(rest));
    return this.append(Uint8Array.from(bytes));
  }

  private append(chunk: Uint8Array): this {
    this.chunks.push(chunk);
    this.length += chunk.length;
    return this;
  }
}
