/**
 * Unpacks test/fixtures, the part of the reference numbers that lies in the repository. Each file is brotli over its bytes;
 * safetensors over their bytes in planes (first bytes of all 32-bit numbers, then second ones, …), which compress better.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

const PACKED = '.br';

/** Unpacks a folder into a temporary one, once for the same bytes, and returns where that is. */
export function unpackFixtures(folder: string): string {
  const files = readdirSync(folder).filter((name) => name.endsWith(PACKED));
  const packed = files.map((name) => ({
    name: name.slice(0, -PACKED.length),
    bytes: readFileSync(path.join(folder, name)),
  }));
  const hash = createHash('sha256');
  for (const { bytes } of packed) hash.update(bytes);
  const target = path.join(os.tmpdir(), `clipvq-fixtures-${hash.digest('hex').slice(0, 16)}`);
  mkdirSync(target, { recursive: true });
  for (const { name, bytes } of packed) {
    const file = path.join(target, name);
    if (existsSync(file)) continue;
    const plain = brotliDecompressSync(bytes);
    // Several test workers may be at it together: whole files only.
    writeFileSync(`${file}.${process.pid}`, name.endsWith('.safetensors') ? fromPlanes(plain) : plain);
    renameSync(`${file}.${process.pid}`, file);
  }
  return target;
}

/** The inverse of `planes` in scripts/make-test-fixtures.mjs; what pads the last number is cut off. */
function fromPlanes(planes: Uint8Array): Uint8Array {
  const count = planes.length / 4;
  const bytes = new Uint8Array(planes.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = planes[(i % 4) * count + (i >> 2)]!;
  return bytes.subarray(0, lengthOf(bytes));
}

/** Length of a safetensors file: its header says where the last tensor ends. */
function lengthOf(bytes: Uint8Array): number {
  const header = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const entries: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + header)));
  const ends = Object.values(entries as Record<string, { data_offsets?: [number, number] }>);
  return 8 + header + Math.max(0, ...ends.map(({ data_offsets }) => data_offsets?.[1] ?? 0));
}
