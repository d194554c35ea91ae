/** Choosing pictures: the best of several, away from a negative prompt, by any seed. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shareEngines } from '../../test/support/keeping-engine.ts';
import { diffusionOf, exportTinyClip, tinyRecipe, tokenizerOf } from '../../test/support/tiny-model.ts';
import { UserError } from '../base/errors.ts';
import { unflatten } from '../base/tree.ts';
import { readPngText } from '../data/pictures/read-png-text.ts';
import { RunDirectory } from '../run/directory.ts';
import { type GeneratedImage, Generator } from './generator.ts';
import { requestOf } from './options.ts';

shareEngines();
let folder: string;
let generator: Generator;
const recipe = { ...tinyRecipe, sampling: { ...tinyRecipe.sampling, steps: 3 } };

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-choosing-'));
  exportTinyClip(path.join(folder, 'clip'));
  const settings = { seed: 1, data: 'faces', clip: path.join(folder, 'clip'), recipe };
  const run = RunDirectory.create(path.join(folder, 'run'), settings);
  run.saveModel('tokenizer', unflatten(tokenizerOf(recipe)), {});
  run.saveModel('diffusion', unflatten(diffusionOf(recipe)), {});
  generator = await Generator.load(run.path, { threads: 1 });
});
afterAll(async () => {
  await generator.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const tokens = (pictures: readonly GeneratedImage[]) => pictures.map((picture) => [...picture.tokens].join());

describe('bestOf', () => {
  it('keeps of each group of seeds the picture with the highest CLIP score, and reports the mean without choosing', async () => {
    const all = await generator.generate('a red face', { count: 6, seed: 10 });
    const best = await generator.generate('a red face', { count: 2, bestOf: 3, seed: 10 });
    for (const [i, kept] of best.entries()) {
      const group = all.slice(3 * i, 3 * i + 3);
      const scores = group.map(({ clipScore }) => clipScore);
      expect(kept.clipScore).toBeCloseTo(Math.max(...scores), 5);
      expect(kept.meanClipScore).toBeCloseTo(scores.reduce((a, b) => a + b) / 3, 5);
      expect(tokens([kept])).toEqual(tokens(group.filter(({ seed }) => seed === kept.seed)));
    }
    expect(best).toHaveLength(2);
    for (const { clipScore, meanClipScore } of all) expect(meanClipScore).toBe(clipScore);
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses %d candidates in one line', async (bestOf) => {
    await expect(generator.generate('x', { bestOf })).rejects.toThrow(/^bestOf is .*give a whole number/);
  });
});

describe('negative', () => {
  it('takes the place of the null condition, and is written down', async () => {
    const options = { count: 4, guidanceScale: 4 };
    const plain = await generator.generate('a red face', options);
    const away = await generator.generate('a red face', { ...options, negative: 'red' });
    expect(tokens(away)).not.toEqual(tokens(plain));
    expect(tokens(await generator.generate('a red face', { ...options, negative: 'red' }))).toEqual(tokens(away));
    expect(readPngText(await generator.toPng(away[0]!))).toMatchObject({ 'Negative prompt': 'red' });
    expect(readPngText(await generator.toPng(plain[0]!))).not.toHaveProperty('Negative prompt');
  });

  it('of a scale of 0 is what is drawn: guidance goes from the negative to the prompt', async () => {
    const drawn = await generator.generate('a red face', { count: 3, negative: 'a face', guidanceScale: 0 });
    expect(tokens(drawn)).toEqual(tokens(await generator.generate('a face', { count: 3, guidanceScale: 1 })));
  });

  it.each([
    ['the prompt itself', { negative: ' a red face ' }, /also a prompt/],
    ['nothing', { negative: ' ' }, /is empty/],
    ['guidance of 1', { negative: 'red', guidanceScale: 1 }, /no effect without guidance/],
  ])('refuses %s in one line', async (_, options, expected) => {
    const drawing = generator.generate('a red face', options);
    await expect(drawing).rejects.toThrow(UserError);
    await expect(drawing).rejects.toThrow(expected);
  });
});

describe('seeds', () => {
  it('of 2^32 and more give pictures of their own', async () => {
    const seeds = [0, 2 ** 32, 2 ** 33, 2 ** 52, Number.MAX_SAFE_INTEGER];
    const pictures = await generator.generate(
      seeds.map(() => 'a red face'),
      { seed: seeds },
    );
    expect(pictures.map(({ seed }) => seed)).toEqual(seeds);
    expect(new Set(tokens(pictures)).size).toBe(seeds.length);
  });

  it('beyond what a number holds exactly are refused', async () => {
    for (const seed of [-1, 0.5, 2 ** 53, Number.MAX_SAFE_INTEGER])
      await expect(generator.generate('x', { seed, count: 2 })).rejects.toThrow(/^seed .*seeds are whole numbers/);
  });
});

it('refuses steps that the sampler cannot take before anything is drawn', () => {
  const { timesteps } = recipe.diffusion;
  expect(() => requestOf('x', { steps: timesteps + 1 }, recipe)).toThrow(/sampling\.steps 8 .*timesteps 7/);
  expect(() => requestOf('x', { sampler: 'fast', steps: 1 }, recipe)).toThrow(/fast takes 2 to 7/);
});

it('lists what is wanted without holding it: a billion pictures take no memory', () => {
  const request = requestOf('x', { count: 1e9 }, recipe);
  expect([request.total, request.batch(999_999_990, 16).length]).toEqual([1e9, 10]);
});
