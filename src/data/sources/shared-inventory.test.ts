/** What one command has looked at, the others do not decode again. */

import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { reportPictures } from '../pictures/report.ts';
import { openSource } from './open.ts';
import { openPairs } from './pairs.ts';

let folder: string;
let pictures: string;
let inventories: string;
/** Names of pictures that were decoded. */
let looked: string[];
const onPicture = ({ name }: { readonly name: string }) => void looked.push(name);
const faces = { seed: 0, count: 1, offset: 0 };

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-shared-'));
  pictures = path.join(folder, 'pics');
  inventories = path.join(folder, 'cache', 'inventories');
  fs.mkdirSync(pictures);
  looked = [];
  for (const background of ['red', 'green', 'blue']) await put(background);
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const put = (background: string, width = 8) =>
  sharp({ create: { width, height: 8, channels: 3, background } })
    .png()
    .toFile(path.join(pictures, `${background}.png`));
const check = async () => (await reportPictures(pictures, { side: 4, inventories, onPicture })).report;
const open = async () => (await openSource(pictures, { faces, inventories, onPicture, onRejected() {} })).size;
const decoded = () => looked.splice(0).sort();

it('the check of pictures, training on them and a CLIP of their captions decode them once in all', async () => {
  const first = await check();
  expect(decoded()).toEqual(['blue.png', 'green.png', 'red.png']);
  expect(await open()).toBe(3);
  expect(await check()).toEqual(first);
  const pairs = path.join(folder, 'pairs.jsonl');
  fs.writeFileSync(pairs, '{"image": "pics/red.png", "text": "red"}\n{"image": "pics/blue.png", "text": "blue"}\n');
  const options = { seed: 0, count: 1, offset: 0, inventories, onPicture, onRejected() {} };
  expect((await openPairs(pairs, options)).images.size).toBe(2);
  expect(decoded()).toEqual([]);
});

it('the check knows what training has looked at, and finds the same', async () => {
  await open();
  decoded();
  const report = await check();
  expect(decoded()).toEqual([]);
  fs.rmSync(inventories, { recursive: true });
  expect(await check()).toEqual(report);
  expect(decoded().length).toBe(3);
});

it('only what has changed is looked at again', async () => {
  await check();
  decoded();
  await put('red', 12);
  expect(await open()).toBe(3);
  expect(decoded()).toEqual(['red.png']);
  expect((await check()).width.max).toBe(12);
  expect(decoded()).toEqual([]);
});

it('a damaged inventory, and a cache that cannot be written, cost time and nothing else', async () => {
  await check();
  const [name] = fs.readdirSync(inventories);
  fs.writeFileSync(path.join(inventories, name!), 'no inventory');
  decoded();
  expect(await open()).toBe(3);
  expect(decoded().length).toBe(3);
  fs.rmSync(inventories, { recursive: true });
  fs.writeFileSync(inventories, 'a file where the folder should be');
  expect(await open()).toBe(3);
  expect(decoded().length).toBe(3);
});
