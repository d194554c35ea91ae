/**
 * Unpacks test/fixtures, the part of the reference numbers that lies in the repository. Each file is brotli over its
 * bytes; those full of float32 over their length and their bytes in planes (first bytes of all 32-bit numbers, then
 * second ones, …), which compress better.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

const PACKED = '.br';
const IN_PLANES = /\.(safetensors|pth)$/;

/** Unpacks a folder into a temporary one, once for the same bytes, and returns where that is. */
export function unpackFixtures(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(PACKED));
  const packed = files.sort().map((name) => ({
    name: name.slice(0, -PACKED.length),
    bytes: readFileSync(path.join(folder, name)),
  }));
  const hash = createHash('sha256');
  for (const { name, bytes } of packed) hash.update(name).update(bytes);
  const target = path.join(os.tmpdir(), `clipvq-fixtures-${hash.digest('hex').slice(0, 16)}`);
  for (const { name, bytes } of packed) {
    const file = path.join(target, name);
    if (existsSync(file)) continue;
    mkdirSync(path.dirname(file), { recursive: true });
    const plain = brotliDecompressSync(bytes);
    // Several test workers may be at it together: whole files only.
    const partial = path.join(target, `${process.pid}-${path.basename(name)}.partial`);
    writeFileSync(partial, IN_PLANES.test(name) ? fromPlanes(plain) : plain);
    renameSync(partial, file);
  }
  return target;
}

/** The inverse of `planes` in scripts/make-test-fixtures.mjs. */
function fromPlanes(packed: Uint8Array): Uint8Array {
  const length = new DataView(packed.buffer, packed.byteOffset).getUint32(0, true);
  const [planes, count] = [packed.subarray(4), (packed.length - 4) / 4];
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = planes[(i % 4) * count + (i >> 2)]!;
  return bytes;
}
