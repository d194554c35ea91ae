/** Messages against the wire format, byte by byte: https://protobuf.dev/programming-guides/encoding. */

import { expect, it } from 'vitest';
import { Message } from './protobuf.ts';

/** A length below 2^14 as a varint. */
const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, n >> 7]);
const field = (number: number, bytes: readonly number[]): number[] => [
  (number << 3) | 2,
  ...varint(bytes.length),
  ...bytes,
];

it.each([0, 1, 43, 44, 127, 128, 4095, 4096, 9000])('a message with %i bytes, a text and numbers nests', (length) => {
  const bytes = Array.from({ length }, (_, i) => i % 256);
  const inner = new Message().string(1, 'ab').bytes(2, Uint8Array.from(bytes)).string(3, 'é').int(4, 300).int(5, -1);
  const written = [
    ...field(1, [97, 98]),
    ...field(2, bytes),
    ...field(3, [0xc3, 0xa9]),
    ...[4 << 3, 0xac, 0x02],
    ...[5 << 3, ...new Array<number>(9).fill(0xff), 0x01],
  ];
  const outer = new Message().float(6, 1).message(1, inner).message(2, inner).double(7, 1);
  // What is written later is not part of what was nested before.
  inner.string(1, 'later');
  expect([...outer.encode()]).toEqual([
    ...[(6 << 3) | 5, 0, 0, 0x80, 0x3f],
    ...field(1, written),
    ...field(2, written),
    ...[(7 << 3) | 1, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
  ]);
});
