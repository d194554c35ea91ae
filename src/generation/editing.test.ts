/** Variations, repainting, mixes and ways between on a tiny untrained model. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shareEngines } from '../../test/support/keeping-engine.ts';
import { tinyRecipe, writeTinyRun } from '../../test/support/tiny-model.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { readPngText } from '../data/pictures/read-png-text.ts';
import { samplerNames } from '../diffusion/samplers/index.ts';
import { type GeneratedImage, Generator, type StreamFrame } from './generator.ts';
import { requestOf } from './options.ts';
import { chainLength, redrawnCodes } from './start.ts';

shareEngines();
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-editing-'));
const { imageSize } = tinyRecipe;
let generator: Generator;
let original: GeneratedImage;
let codes: Int32Array;
beforeAll(async () => {
  generator = await Generator.load(writeTinyRun(path.join(root, 'run')).path, { threads: 1 });
  original = (await generator.generate('a blue hat', { seed: 3 }))[0]!;
  codes = await generator.encode([original.image]);
});
afterAll(async () => {
  await generator.close();
  fs.rmSync(root, { recursive: true });
});

/** White where `isWhite` says so. */
const mask = (isWhite: (x: number, y: number) => boolean): RgbImage => ({
  width: imageSize,
  height: imageSize,
  data: Uint8Array.from({ length: 3 * imageSize ** 2 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return isWhite(pixel % imageSize, Math.floor(pixel / imageSize)) ? 255 : 0;
  }),
});
const left = mask((x) => x < imageSize / 2);
const tokensOf = (pictures: readonly GeneratedImage[]) => pictures.map(({ tokens }) => [...tokens].join());
const sameCodes = ({ tokens }: GeneratedImage) => tokens.filter((code, i) => code === codes[i]).length;

describe('repainting', () => {
  it.each(samplerNames)('by %s keeps every code that the mask does not name', async (sampler) => {
    const redraw = redrawnCodes(left, Math.sqrt(generator.tokens));
    const start = { picture: original.image, mask: left };
    const pictures = await generator.generate('a red face', { count: 3, sampler, start, steps: 4 });
    for (const { tokens, edit } of pictures) {
      const lost = codes.filter((code, i) => redraw[i] === 0 && tokens[i] !== code);
      expect(lost).toHaveLength(0);
      expect(edit).toMatchObject({ strength: 1, named: generator.tokens / 2 });
      expect(edit!.changed).toBe(tokens.filter((code, i) => code !== codes[i]).length);
    }
    expect(new Set(tokensOf(pictures)).size).toBe(3);
  });

  it('shows the codes that stay in every frame of a stream, and writes into a PNG how the picture came about', async () => {
    const start = { picture: original.image, mask: left };
    const frames: StreamFrame[] = [];
    for await (const frame of generator.stream('a red face', { start })) frames.push(frame);
    const redraw = redrawnCodes(left, Math.sqrt(generator.tokens));
    for (const { masked } of frames) expect(masked.filter((one, i) => one === 1 && redraw[i] === 0)).toHaveLength(0);
    const [picture] = frames.at(-1)!.pictures!;
    expect(picture).toEqual((await generator.generate('a red face', { start }))[0]);
    const { Edit } = readPngText(await generator.toPng(picture!));
    expect(JSON.parse(Edit!)).toEqual(picture!.edit);
  });

  it('takes a code that a single white pixel touches', () => {
    const one = redrawnCodes(
      mask((x, y) => x === imageSize - 1 && y === 0),
      8,
    );
    expect([...one.entries()].filter(([, on]) => on === 1).map(([i]) => i)).toEqual([7]);
  });
});

describe('a variation', () => {
  it('of little strength keeps most codes, of full strength is what is drawn without a start', async () => {
    const vary = async (strength: number) => {
      const options = { count: 8, start: { picture: original.image, strength } };
      const pictures = await generator.generate('a red face', options);
      return pictures.reduce((sum, picture) => sum + sameCodes(picture), 0) / (8 * generator.tokens);
    };
    const [little, half] = [await vary(0.15), await vary(0.5)];
    expect(little).toBeGreaterThan(half);
    expect(half).toBeGreaterThan(await vary(1));
    const whole = await generator.generate('a red face', { count: 2, start: { picture: original.image } });
    expect(tokensOf(whole)).toEqual(tokensOf(await generator.generate('a red face', { count: 2 })));
  });

  it('takes its share of the steps, and as few as the sampler can take', async () => {
    const seen: [number, number][] = [];
    const onProgress = (done: number, total: number) => seen.push([done, total]);
    const [picture] = await generator.generate('a red face', {
      start: { picture: original.image, strength: 0.5 },
      steps: 6,
      onProgress,
    });
    expect(seen.at(-1)).toEqual([3, 3]);
    expect(picture!.passes.conditional).toBe(3);
    const chain = { times: 7, tokens: 64 };
    expect(chainLength({ sampler: 'fast', steps: 7 }, 0.01, chain)).toEqual({ times: 2, steps: 2 });
    expect(chainLength({ sampler: 'ancestral', steps: 7 }, 0.01, chain)).toEqual({ times: 1, steps: 1 });
    expect(chainLength({ sampler: 'ancestral', steps: 3 }, 1, chain)).toEqual({ times: 7, steps: 3 });
  });

  it('does not depend on what else is drawn', async () => {
    const start = { picture: original.image, strength: 0.5 };
    const many = await generator.generate('a red face', { count: 3, start });
    expect(await generator.generate('a red face', { seed: 2, start })).toEqual([many[2]]);
  });
});

describe('conditions', () => {
  it('of several kinds give pictures, each with its name and its score', async () => {
    const [embedding] = [await generator.clip.embedImages([original.image])];
    const seen = { picture: original.image, name: 'cat.png' };
    const pictures = await generator.generate(
      [
        seen,
        { embedding },
        {
          mix: [
            { of: 'a man', weight: 0.7 },
            { of: seen, weight: 0.3 },
          ],
        },
      ],
      { seed: 5 },
    );
    expect(pictures.map(({ prompt }) => prompt)).toEqual(['cat.png', 'an embedding', '0.7 a man + 0.3 cat.png']);
    expect(pictures[0]!.tokens).toEqual(pictures[1]!.tokens);
    for (const { clipScore } of pictures) expect(Math.abs(clipScore)).toBeLessThanOrEqual(1 + 1e-6);
  });

  it('at the ends of an interpolation give the pictures of the ends', async () => {
    const frames: GeneratedImage[] = [];
    for await (const frame of generator.interpolate('a man', 'a cat', { frames: 5, seed: 9 })) frames.push(frame);
    expect(frames).toHaveLength(5);
    expect(frames.map(({ seed }) => seed)).toEqual([9, 9, 9, 9, 9]);
    const ends = await generator.generate(['a man', 'a cat'], { seed: 9 });
    expect(tokensOf([frames[0]!, frames[4]!])).toEqual(tokensOf(ends));
    expect(() => generator.interpolate('a', 'b', { frames: 1 })).toThrow(/frames is 1/);
  });
});

describe('a start', () => {
  const request = (start: unknown) => () => requestOf('a face', { start } as object, tinyRecipe);
  const small = { width: 8, height: 8, data: new Uint8Array(192) };

  it.each<[string, (picture: RgbImage) => unknown, RegExp]>([
    ['of another size', () => ({ picture: small }), /The picture to start from is 8x8; this model takes 16x16/],
    ['that is no picture', () => ({ picture: 'cat.png' }), /The picture to start from is cat.png/],
    ['with a mask of another size', (picture) => ({ picture, mask: small }), /The mask is 8x8; this model takes 16x16/],
    ['whose mask keeps all', (picture) => ({ picture, mask: mask(() => false) }), /mask keeps all of the picture/],
    ['of strength 0', (picture) => ({ picture, strength: 0 }), /strength is 0: give a number above 0/],
    ['of strength 2', (picture) => ({ picture, strength: 2 }), /strength is 2/],
    ['in words', () => 'cat.png', /start is cat.png/],
  ])('%s is refused in one line', (_, startOf, message) => {
    expect(request(startOf(original.image))).toThrow(message);
  });
});
