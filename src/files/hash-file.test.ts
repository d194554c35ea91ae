/** The digest of a file is that of its bytes, whatever its length. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { hashFile } from './hash-file.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-hash-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

it.each([0, 1, 2 ** 20 - 1, 2 ** 20, 2 ** 21 + 5])('hashes %d bytes as they are', (length) => {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 31) >> 3);
  const file = path.join(folder, `${length}`);
  fs.writeFileSync(file, bytes);
  const hash = createHash('sha256').update('before');
  hashFile(hash, file);
  expect(hash.digest('hex')).toBe(createHash('sha256').update('before').update(bytes).digest('hex'));
});

it('names a file that is not there', () => {
  expect(() => hashFile(createHash('sha256'), path.join(folder, 'none'))).toThrow(/Cannot read .*none: no such file/);
});
