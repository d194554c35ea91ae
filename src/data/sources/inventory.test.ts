/** The look at a container: what is read of it, what is remembered, and what has to stay as it was. */

import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { contactSheet } from '../../render/sheet.ts';
import { encodePng } from '../pictures/png.ts';
import type { Container } from './containers/container.ts';
import { openContainer } from './containers/open.ts';
import { type InventoryLine, type InventoryOptions, takeInventory } from './inventory.ts';
import { picturesSource } from './pictures-source.ts';

let folder: string;
let red: Buffer;
beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-inventory-'));
  red = await plain('red');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const plain = (background: string, width = 8, height = 8): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
const put = (name: string, bytes: Uint8Array | string) => fs.writeFileSync(path.join(folder, name), bytes);

async function look(options: InventoryOptions = {}) {
  const container = await openContainer(folder);
  const lines: InventoryLine[] = [];
  const looked: string[] = [];
  const { pictures, rejected } = await takeInventory(container, {
    ...options,
    onLine: (line) => lines.push(line),
    onPicture: ({ name }) => looked.push(name),
  });
  return { container, pictures, names: pictures.map(({ name }) => name), rejected, lines, looked };
}

it('looks again at what was left out, and not at what was good', async () => {
  put('a.png', red);
  put('b.png', red);
  const { lines } = await look();
  const rejectedOnce = lines.map((line) =>
    line.name === 'b.png' ? { name: line.name, stamp: line.stamp, reason: 'cannot be read: permission denied' } : line,
  );
  const { names, looked } = await look({ known: rejectedOnce });
  expect(names).toEqual(['a.png', 'b.png']);
  expect(looked).toEqual(['b.png']);
});

it('holds what is known to the limit of pixels that is set now', async () => {
  put('a.png', red);
  const { lines } = await look();
  const { rejected } = await look({ known: lines, maxPixels: 20 });
  expect(rejected).toMatchObject([{ path: 'a.png', reason: expect.stringContaining('more than the limit') }]);
});

it('reads the beginning of what is large and no picture, not the rest', async () => {
  const reads: string[] = [];
  const container: Container = {
    path: folder,
    names: ['weights.bin', 'a.png'],
    rejected: [],
    size: async (index) => (index === 0 ? 2 ** 30 : red.length),
    head: async (index) => (index === 0 ? new Uint8Array(4096) : red),
    read: async (index) => {
      reads.push(container.names[index]!);
      return red;
    },
    stamp: async () => '',
    close: async () => {},
  };
  const { rejected } = await takeInventory(container);
  expect(rejected).toEqual([{ path: 'weights.bin', reason: 'not a picture' }]);
  expect(reads).toEqual(['a.png']);
});

it('refuses gigabytes behind a small picture, without reading them', async () => {
  put('long.png', red);
  fs.truncateSync(path.join(folder, 'long.png'), 2 ** 29);
  expect((await look()).rejected).toMatchObject([{ path: 'long.png', reason: expect.stringContaining('of 512 MiB') }]);
});

it('leaves out what this program has made: generated pictures and contact sheets', async () => {
  const image = { width: 8, height: 8, data: new Uint8Array(192) };
  put('drawn.png', await encodePng(image, {}));
  put('generated.png', await encodePng(image, { Software: 'clip-vqdiffusion 0.9.0', Prompt: 'a cat' }));
  put('sheet.png', await contactSheet({ rows: [{ label: 'a', images: [image] }] }));
  const { names, rejected } = await look();
  expect(names).toEqual(['drawn.png']);
  expect(rejected.map(({ path: name }) => name)).toEqual(['generated.png', 'sheet.png']);
});

it('refuses to read a picture that is not the one that was looked at, and reads it when it is back', async () => {
  put('a.png', red);
  const { container, pictures } = await look();
  const source = picturesSource(container, pictures);
  put('a.png', await plain('blue'));
  await expect(source.read(0, 8)).rejects.toThrow(/a\.png has changed since it was looked at/);
  put('a.png', red);
  expect([...(await source.read(0, 8)).data.subarray(0, 3)]).toEqual([255, 0, 0]);
});

it('refuses by the look what could not be cut into squares later', async () => {
  put('long.png', await plain('red', 200_000, 1));
  put('thin.png', await plain('red', 5000, 1));
  const { container, pictures, rejected } = await look();
  expect(rejected).toMatchObject([{ path: 'long.png', reason: expect.stringContaining('100000 pixels a side') }]);
  const source = picturesSource(container, pictures);
  expect([...(await source.read(0, 8)).data.subarray(0, 3)]).toEqual([255, 0, 0]);
});
