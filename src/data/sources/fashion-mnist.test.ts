/** IDX files: whole, packed, damaged, absent. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fashionLabels, fashionSource } from './fashion-mnist.ts';

let folder: string;
const COUNT = 3;

function idx(dimensions: readonly number[], data: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * dimensions.length);
  header.writeUInt32BE(0x800 + dimensions.length);
  dimensions.forEach((size, i) => {
    header.writeUInt32BE(size, 4 + 4 * i);
  });
  return Buffer.concat([header, data]);
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'clipvq-idx-'));
  // Picture n is all of grey level 80 n.
  const pixels = Uint8Array.from({ length: COUNT * 784 }, (_, i) => 80 * Math.floor(i / 784));
  await writeFile(path.join(folder, 'train-images-idx3-ubyte.gz'), gzipSync(idx([COUNT, 28, 28], pixels)));
  await writeFile(path.join(folder, 'train-labels-idx1-ubyte'), idx([COUNT], Uint8Array.of(4, 0, 9)));
  await writeFile(path.join(folder, 't10k-images-idx3-ubyte'), idx([COUNT + 1, 28, 28], pixels));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('reads pictures, and labels apart from them', async () => {
  const source = await fashionSource('train', folder);
  expect(source.size).toBe(COUNT);
  expect(Object.keys(source).sort()).toEqual(['contentId', 'id', 'name', 'read', 'size']);
  expect([...(await fashionLabels('train', folder))]).toEqual([4, 0, 9]);
  const { data } = await source.read(2, 32);
  expect(data.length).toBe(3 * 32 * 32);
  expect(new Set(data)).toEqual(new Set([160]));
  expect((await source.read(1, 8, () => ({ left: 20, top: 0, width: 8, height: 8 }))).data[0]).toBe(80);
  expect(new Set([0, 1, 2].map((i) => source.contentId(i))).size).toBe(3);
});

it('says in one line what is missing or cut off', async () => {
  await expect(fashionSource('test', folder)).rejects.toThrow(/t10k-images-idx3-ubyte is not a whole IDX file/);
  await expect(fashionLabels('test', folder)).rejects.toThrow(/apt-get install dataset-fashion-mnist/);
});
