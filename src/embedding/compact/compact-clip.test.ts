import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TINY_CLIP, writeTinyClip } from '../../../test/support/tiny-clip.ts';
import type { RgbImage } from '../../data/pictures/image.ts';
import { integers } from '../../random/noise.ts';
import type { ClipModel } from '../clip-model.ts';
import { type ClipOpening, MOST_TOKENIZING } from '../clip-protocol.ts';
import { openLibraryClip } from '../library-clip.ts';
import { resolveClip } from '../sources/clip-source.ts';
import { openCompactClip } from './compact-clip.ts';

const root = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-compact-'));
afterAll(() => fs.rmSync(root, { recursive: true }));

/** How often the library was fallen back on. */
let loads = 0;
let compact: ClipModel;
let library: ClipModel;

const openingOf = async (folder: string): Promise<ClipOpening> => ({
  source: await resolveClip(folder),
  threads: 1,
  mostTokenizing: MOST_TOKENIZING,
});

async function open(folder: string): Promise<ClipModel | undefined> {
  const opening = await openingOf(folder);
  return openCompactClip(opening, () => {
    loads++;
    return openLibraryClip(opening);
  });
}

beforeAll(async () => {
  const folder = path.join(root, 'clip');
  writeTinyClip(folder, 'clip', { keepWeights: true });
  compact = (await open(folder))!;
  library = await openLibraryClip(await openingOf(folder));
});

const texts = ['a red hat', 'A  blue\nHAT!', 'red 😀', 'é <|pad|> <|endoftext|>'];

/** A picture of noise, which holds every byte. */
const noise = (width: number, height: number, step: number): RgbImage => ({
  width,
  height,
  data: Uint8Array.from(integers({ seed: 1, stream: 'test', step }, 0, 3 * width * height, 256)),
});

it('gives to the bit what the library gives', async () => {
  const { imageSize } = TINY_CLIP;
  const images = [imageSize, imageSize + 5, imageSize - 3, 2 * imageSize].map((side, i) => noise(side, side, i));
  expect(compact.facts).toEqual(library.facts);
  expect(await compact.embedTexts(texts, false)).toEqual(await library.embedTexts(texts, false));
  expect(await compact.embedImages(images)).toEqual(await library.embedImages(images));
  expect(compact.knowledge(texts)).toEqual(library.knowledge(texts));
  expect(loads).toBe(0);
});

it('refuses what the library refuses, in the same words', async () => {
  for (const text of [' ', 'red '.repeat(TINY_CLIP.context)]) {
    const theirs = await library.embedTexts([text], false).catch((error: unknown) => error);
    expect(theirs).toBeInstanceOf(Error);
    await expect(compact.embedTexts([text], false)).rejects.toThrow((theirs as Error).message);
  }
});

it('leaves texts that are cut and pictures that are not square to the library, which it loads once', async () => {
  const long = ['red '.repeat(TINY_CLIP.context), 'a red hat'];
  const images = [noise(TINY_CLIP.imageSize + 3, TINY_CLIP.imageSize, 0)];
  expect(await compact.embedTexts(long, true)).toEqual(await library.embedTexts(long, true));
  expect(await compact.embedImages(images)).toEqual(await library.embedImages(images));
  expect(loads).toBe(1);
});

it.each([
  ['another setting', (folder: string) => edit(path.join(folder, 'preprocessor_config.json'), '0.5', '0.4')],
  ['another expression', (folder: string) => edit(path.join(folder, 'tokenizer.json'), "'s|", '')],
  ['another network', (folder: string) => writeTinyClip(folder, 'siglip')],
  ['a network that is none', (folder: string) => fs.writeFileSync(path.join(folder, 'onnx/text_model.onnx'), 'no')],
])('does not take a CLIP with %s for one of this program', async (name, change) => {
  const folder = path.join(root, name);
  writeTinyClip(folder, 'clip');
  change(folder);
  expect(await open(folder)).toBeUndefined();
});

function edit(file: string, from: string, to: string): void {
  const text = fs.readFileSync(file, 'utf8');
  expect(text).toContain(from);
  fs.writeFileSync(file, text.replace(from, to));
}
