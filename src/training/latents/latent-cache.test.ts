/** Every picture is encoded once: what is added, changed or interrupted costs only itself. */

import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { picturesOf } from '../../../test/support/pictures.ts';
import type { PictureReader } from '../../data/cache/reader.ts';
import { contentIdOf } from '../../data/sources/inventory.ts';
import {
  dropDamaged,
  type Encoders,
  encodeMissing,
  type LatentOrigin,
  openLatentCache,
  storedLatents,
} from './latent-cache.ts';

const SIDE = 2;
const TOKENS = 3;
const DIM = 4;
const origin: LatentOrigin = { pictures: 'p', tokenizer: 't', tokens: TOKENS, clip: 'c', dim: DIM };

let folder: string;
let counts: { coded: number; embedded: number; read: number };
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-encoding-'));
  counts = { coded: 0, embedded: 0, read: 0 };
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

/** Encoders that count, and whose answers tell which picture and which model they saw. */
const encoders = (model = 0, failAfter = Number.POSITIVE_INFINITY): Encoders => ({
  imageSize: SIDE,
  codec: {
    async encode(images) {
      const n = images.length / (3 * SIDE * SIDE);
      counts.coded += n;
      if (counts.coded > failAfter) throw new Error('killed');
      return Int32Array.from({ length: n * TOKENS }, (_, i) => images[Math.floor(i / TOKENS) * 12]! + 1000 * model);
    },
  },
  clip: {
    async embedImages(images) {
      counts.embedded += images.length;
      return Float32Array.from({ length: images.length * DIM }, (_, i) => images[Math.floor(i / DIM)]!.data[0]! / 10);
    },
  },
});

/** Picture n is all of value n. */
function encodable(numbers: readonly number[]) {
  const bytes = Uint8Array.from(numbers.flatMap((n) => Array(3 * SIDE * SIDE).fill(n)));
  const inMemory = picturesOf(bytes, SIDE);
  const reader: PictureReader = {
    size: numbers.length,
    read: (picks) => {
      counts.read += picks.length;
      return inMemory.read(picks);
    },
  };
  const id = (row: number) => `${numbers[row]!}.png`;
  const source = { size: numbers.length, id, contentId: (row: number) => contentIdOf(Uint8Array.of(numbers[row]!)) };
  return { source, reader, id: 'x' };
}

const notes: string[] = [];
const watch = {
  signal: new AbortController().signal,
  display: { step() {}, note: (note: string) => notes.push(note), count: () => () => {} },
};
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

async function encodeAll(
  numbers: readonly number[],
  from: LatentOrigin = origin,
  by: Encoders = encoders(),
  views = 1,
) {
  const cache = openLatentCache(folder, from);
  const pictures = encodable(numbers);
  try {
    dropDamaged(cache, watch);
    await encodeMissing(cache, pictures, views, by, watch);
    const latents = storedLatents(cache, pictures.source, views, TOKENS, DIM);
    return latents.gather(upTo(numbers.length), new Int32Array(numbers.length));
  } finally {
    cache.close();
  }
}

it('encodes the ten that were added to two hundred, wherever they stand, and reads no other', async () => {
  await encodeAll(upTo(200));
  expect(counts).toEqual({ coded: 200, embedded: 200, read: 200 });
  counts = { coded: 0, embedded: 0, read: 0 };
  const more = [...upTo(10).map((n) => 240 + n), ...upTo(200)];
  const { codes, embeddings } = await encodeAll(more);
  expect(counts).toEqual({ coded: 10, embedded: 10, read: 10 });
  expect([...codes]).toEqual(more.flatMap((n) => Array(TOKENS).fill(n)));
  expect([...embeddings]).toEqual(more.flatMap((n) => Array(DIM).fill(Math.fround(n / 10))));
  counts = { coded: 0, embedded: 0, read: 0 };
  await encodeAll(upTo(50));
  expect(counts).toEqual({ coded: 0, embedded: 0, read: 0 });
});

it('another tokenizer makes only codes anew, another CLIP only embeddings, and the old ones are removed', async () => {
  await encodeAll(upTo(70));
  counts = { coded: 0, embedded: 0, read: 0 };
  const { codes } = await encodeAll(upTo(70), { ...origin, tokenizer: 'other' }, encoders(1));
  expect(counts).toMatchObject({ coded: 70, embedded: 0 });
  expect(codes[0]).toBe(1000);
  counts = { coded: 0, embedded: 0, read: 0 };
  await encodeAll(upTo(70), { ...origin, tokenizer: 'other', clip: 'other' });
  expect(counts).toMatchObject({ coded: 0, embedded: 70 });
  expect(fs.readdirSync(folder)).toHaveLength(4);
});

it('goes on where it was interrupted', async () => {
  await expect(encodeAll(upTo(200), origin, encoders(0, 130))).rejects.toThrow('killed');
  counts = { coded: 0, embedded: 0, read: 0 };
  const { codes } = await encodeAll(upTo(200));
  expect(counts.coded).toBe(200 - 128);
  expect([...codes]).toEqual(upTo(200).flatMap((n) => Array(TOKENS).fill(n)));
});

it('encodes each view of a picture, and only equal pictures together', async () => {
  await encodeAll([1, 2, 1], origin, encoders(), 3);
  const cache = openLatentCache(folder, origin);
  expect([cache.codes.size, cache.embeddings.size]).toEqual([6, 6]);
  cache.close();
});

it('encodes again what was damaged and nothing else, and says so once', async () => {
  const before = await encodeAll(upTo(100));
  const flip = (kind: string, at: number) => {
    const file = path.join(
      folder,
      fs.readdirSync(folder).find((name) => new RegExp(`^codes-.*\\.${kind}$`).test(name))!,
    );
    const bytes = fs.readFileSync(file);
    bytes[at]! ^= 4;
    fs.writeFileSync(file, bytes);
  };
  flip('data', 4 * TOKENS * 7);
  flip('data', 4 * TOKENS * 99 + 3);
  // The key of record 50: nothing would ever ask for it again.
  flip('index', 20 * 51);
  counts = { coded: 0, embedded: 0, read: 0 };
  notes.length = 0;
  expect(await encodeAll(upTo(100))).toEqual(before);
  expect(counts).toEqual({ coded: 3, embedded: 0, read: 3 });
  expect(notes).toEqual(['The cache was damaged: the codes of 3 pictures and the embeddings of 0 are made again']);
  counts = { coded: 0, embedded: 0, read: 0 };
  expect(await encodeAll(upTo(100))).toEqual(before);
  expect(counts.read).toBe(0);
  expect(notes).toHaveLength(1);
});
