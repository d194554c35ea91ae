/** A page's model and generator over onnxruntime-web's WebAssembly inside Node, against the generator of Node. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as ort from 'onnxruntime-web/wasm';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { shareEngines } from '../../test/support/keeping-engine.ts';
import { tinyRecipe, writeTinyRun } from '../../test/support/tiny-model.ts';
import { readPngText } from '../data/pictures/read-png-text.ts';
import { type GeneratedImage, Generator } from '../generation/generator.ts';
import { pageModelOf } from '../publish/page-model.ts';
import { WebExecutor } from './executor.ts';
import { type PageFrame, PageGenerator } from './page-generator.ts';
import { encodePageModel, type PageModel, readPageModel } from './page-model.ts';

shareEngines();
ort.env.wasm.numThreads = 1;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'page-'));
const PROMPT = 'a red face, ünd more';
const recipe = { ...tinyRecipe, sampling: { ...tinyRecipe.sampling, steps: 5 } };

let page: PageModel;
let node: { readonly pictures: readonly GeneratedImage[]; readonly texts: readonly object[] };

beforeAll(async () => {
  const run = writeTinyRun(path.join(folder, 'run'), recipe);
  page = await pageModelOf(run, { title: 'Tiny', precision: 'float32' });
  const generator = await Generator.load(run.path, { threads: 1 });
  const pictures = await generator.generate(PROMPT, { seed: 3, count: 2 });
  const texts = await Promise.all(pictures.map(async (picture) => readPngText(await generator.toPng(picture))));
  node = { pictures, texts };
  await generator.close();
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const bytesOf = (model: PageModel) => Buffer.concat(encodePageModel(model));

async function draw(model: PageModel) {
  const generator = await PageGenerator.load(readPageModel(bytesOf(model)), new WebExecutor(ort));
  const frames: PageFrame[] = [];
  for await (const frame of generator.draw(PROMPT, { seed: 3, count: 2 })) frames.push(frame);
  return { frames, finished: frames.flatMap(({ finished }) => finished ?? []) };
}

it('draws the codes, pixels and texts that Node draws, with weights of 32 bits', async () => {
  const { frames, finished } = await draw(page);
  expect(frames.map(({ index, step }) => [index, step])).toEqual(
    [0, 1].flatMap((i) => [1, 2, 3, 4, 5].map((s) => [i, s])),
  );
  expect(finished.map(({ tokens }) => [...tokens])).toEqual(node.pictures.map(({ tokens }) => [...tokens]));
  for (const [i, { png }] of finished.entries()) {
    expect(readPngText(png)).toEqual(node.texts[i]);
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect(info.channels).toBe(3);
    const { image } = node.pictures[i]!;
    const worst = data.reduce((most, byte, at) => Math.max(most, Math.abs(byte - image.data[at]!)), 0);
    expect(worst).toBeLessThanOrEqual(1);
  }
});

it('with 16 bits the model is half as large, and its weights differ by a rounding', async () => {
  const half = { ...page, precision: 'float16' } as const;
  expect(bytesOf(half).length / bytesOf(page).length).toBeLessThan(0.6);
  const { parts } = readPageModel(bytesOf(half));
  const [whole, rounded] = [page.parts.denoiser, parts.denoiser];
  expect(Object.keys(rounded).sort()).toEqual(Object.keys(whole).sort());
  for (const [name, { data }] of Object.entries(whole))
    for (const [i, x] of data.entries())
      expect(Math.abs(rounded[name]!.data[i]! - x)).toBeLessThanOrEqual(Math.max(2 ** -11 * Math.abs(x), 2 ** -25));
  expect((await draw(half)).finished).toHaveLength(2);
});

it('a weight beyond what 16 bits hold is kept with 32', () => {
  const large = { dtype: 'float32', shape: [2], data: Float32Array.of(1e6, 0.1) } as const;
  const model = { ...page, precision: 'float16', parts: { ...page.parts, statistics: { large } } } as const;
  expect(readPageModel(bytesOf(model)).parts.statistics).toEqual({ large });
});

it('names words that the model has never met, and refuses what is no page model', async () => {
  const generator = await PageGenerator.load(page, new WebExecutor(ort));
  expect(generator.unknownWords('a red zebra')).toEqual(['zebra']);
  await expect(generator.draw('  ').next()).rejects.toThrow('empty');
  await expect(generator.draw('face '.repeat(99)).next()).rejects.toThrow('reads at most 64: shorten it');
  await expect(generator.draw('a face', { steps: 900 }).next()).rejects.toThrow('steps');
  expect(() => readPageModel(bytesOf(page).subarray(0, 1000))).toThrow('The model of this page');
  const other = fs.readFileSync(path.join(folder, 'run', 'tokenizer', 'model.safetensors'));
  expect(() => readPageModel(other)).toThrow('is none that this page reads');
});
