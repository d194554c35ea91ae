/** Event files, read by a reader that knows nothing of the writer: checksums bit by bit, messages field by field. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { crc32c } from '../files/crc32.ts';
import { appendRecords, eventsFile, scalarsRecord, versionRecord } from './tensorboard.ts';

/** CRC-32C by its definition: division of polynomials over GF(2), a bit at a time. */
function slowCrc(bytes: Uint8Array): bigint {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const carry = (crc ^ (BigInt(byte) >> BigInt(bit))) & 1n;
      crc = (crc >> 1n) ^ (carry ? 0x82f63b78n : 0n);
    }
  }
  return crc ^ 0xffffffffn;
}

const unmasked = (value: number): bigint => {
  const rotated = (BigInt(value) - 0xa282ead8n) & 0xffffffffn;
  return ((rotated >> 17n) | (rotated << 15n)) & 0xffffffffn;
};

/** The messages of a TFRecord file whose checksums hold. */
function recordsIn(file: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    expect(unmasked(file.readUInt32LE(at + 8))).toBe(slowCrc(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(unmasked(file.readUInt32LE(at + 12 + length))).toBe(slowCrc(data));
    records.push(data);
    at += 16 + length;
  }
  return records;
}

type Field = readonly [number, number | Buffer];

function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const field = Math.floor(key / 8);
    if (key % 8 === 0) fields.push([field, varint()]);
    else if (key % 8 === 1) {
      fields.push([field, message.readDoubleLE(at)]);
      at += 8;
    } else if (key % 8 === 5) {
      fields.push([field, message.readFloatLE(at)]);
      at += 4;
    } else {
      const length = varint();
      fields.push([field, message.subarray(at, at + length)]);
      at += length;
    }
  }
  return fields;
}

it('the checksum of the standard is that of RFC 3720, and of its definition for any length', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  for (let length = 0; length < 20; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) % 256);
    expect(BigInt(crc32c(bytes))).toBe(slowCrc(bytes));
  }
});

it('a file begins with its version, and holds the scalars of each step under their names', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'events-'));
  const file = path.join(folder, eventsFile(1_700_000_000.7));
  expect(path.basename(file)).toMatch(/^events\.out\.tfevents\.1700000000\./);
  appendRecords(file, [versionRecord(1_700_000_000.5)]);
  appendRecords(file, [scalarsRecord(1_700_000_001.25, 300, { loss: 1.5, psnr: -2 })]);
  const [version, step, ...others] = recordsIn(fs.readFileSync(file)).map(fieldsOf);
  expect(others).toEqual([]);
  expect(version).toEqual([
    [1, 1_700_000_000.5],
    [3, Buffer.from('brain.Event:2')],
  ]);
  expect(step!.slice(0, 2)).toEqual([
    [1, 1_700_000_001.25],
    [2, 300],
  ]);
  const values = fieldsOf(step![2]![1] as Buffer).map(([field, value]) => [field, fieldsOf(value as Buffer)]);
  expect([step![2]![0], values]).toEqual([
    5,
    [
      [
        1,
        [
          [1, Buffer.from('loss')],
          [2, 1.5],
        ],
      ],
      [
        1,
        [
          [1, Buffer.from('psnr')],
          [2, -2],
        ],
      ],
    ],
  ]);
});
