/**
 * The part of the protobuf wire format that ONNX files and TensorBoard's events need: fields are appended to a message,
 * messages nest.
 */

import { joinedBytes } from '../base/ndarray.ts';

const utf8 = new TextEncoder();

export class Message {
  private readonly chunks: Uint8Array[] = [];

  /** An integer field (wire type 0). */
  int(field: number, value: number | bigint): this {
    return this.varint(BigInt(field << 3)).varint(BigInt.asUintN(64, BigInt(value)));
  }

  /** A float field (wire type 5). */
  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.varint(BigInt((field << 3) | 5)).append(bytes);
  }

  /** A double field (wire type 1). */
  double(field: number, value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.varint(BigInt((field << 3) | 1)).append(bytes);
  }

  string(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value));
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.encode());
  }

  /** A length-delimited field (wire type 2). */
  bytes(field: number, value: Uint8Array): this {
    return this.varint(BigInt((field << 3) | 2))
      .varint(BigInt(value.length))
      .append(value);
  }

  encode(): Uint8Array {
    return joinedBytes(this.chunks);
  }

  private varint(value: bigint): this {
    const bytes: number[] = [];
    let rest = value;
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
    return this.append(Uint8Array.from(bytes));
  }

  private append(chunk: Uint8Array): this {
    this.chunks.push(chunk);
    return this;
  }
}
