/** A generator on a tiny untrained model: what it gives, what it compiles, how it streams and ends. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { exportTinyClip, tinyRecipe, writeTinyRun } from '../../test/support/tiny-model.ts';
import { UserError } from '../base/errors.ts';
import { readPngText } from '../data/pictures/read-png-text.ts';
import { Engine } from '../engine/engine.ts';
import { Generator, type LoadProgress, type StreamFrame } from './generator.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-generator-'));
const run = writeTinyRun(path.join(root, 'run'));
const compile = vi.spyOn(Engine.prototype, 'compile');
const compiled = () => compile.mock.calls.map(([, options]) => options?.name);

const loaded: LoadProgress[] = [];
let generator: Generator;
beforeAll(async () => {
  generator = await Generator.load(run.path, { threads: 1, onProgress: (progress) => loaded.push(progress) });
});
afterAll(async () => {
  compile.mockRestore();
  await generator.close();
  fs.rmSync(root, { recursive: true });
});

const PROMPT = 'a red face';

describe('a generator', () => {
  it('compiles nothing to load, and for one picture a denoiser and a decoder of one', async () => {
    expect(compiled()).toEqual([]);
    await generator.generate(PROMPT);
    expect(compiled()).toEqual([expect.stringMatching(/^denoiser 1/), 'decoder 1']);
  });

  it('reports the weights while it loads', () => {
    const weights = loaded.filter(({ part }) => part === 'weights');
    expect(weights.length).toBeGreaterThan(2);
    expect(weights.at(-1)!.done).toBe(weights.at(-1)!.total);
  });

  it('gives pictures with their codes, which decode to the same bytes', async () => {
    const pictures = await generator.generate([PROMPT, 'a blue hat'], { count: 2, seed: 5 });
    expect(pictures.map(({ prompt, seed }) => [prompt, seed])).toEqual([
      [PROMPT, 5],
      [PROMPT, 6],
      ['a blue hat', 5],
      ['a blue hat', 6],
    ]);
    for (const { tokens, image } of pictures) {
      expect(tokens).toHaveLength(generator.tokens);
      expect(await generator.decode(tokens)).toEqual([image]);
    }
    expect(pictures[0]!.tokens).not.toEqual(pictures[1]!.tokens);
  });

  it('gives the same picture from the same seed whatever is drawn with it, one after another or all together', async () => {
    const many = await generator.generate(PROMPT, { count: 18 });
    expect(await generator.generate(PROMPT, { seed: 17 })).toEqual([many[17]]);
    const done: number[] = [];
    const steps: number[] = [];
    for await (const { seed } of generator.pictures(PROMPT, { count: 18, onProgress: (step) => steps.push(step) })) {
      done.push(seed);
      // The second batch has not begun before the first is taken.
      if (seed < 16) expect(steps.at(-1)).toBe(tinyRecipe.sampling.steps);
    }
    expect(done).toEqual(many.map(({ seed }) => seed));
    expect(steps.at(-1)).toBe(2 * tinyRecipe.sampling.steps);
  });

  it('streams a frame for each step, and with the last one the pictures that generate gives', async () => {
    const frames: StreamFrame[] = [];
    for await (const frame of generator.stream(PROMPT, { count: 2, seed: 8, preview: true })) frames.push(frame);
    expect(frames.map(({ step }) => step)).toEqual(Array.from(frames, (_, i) => i + 1));
    expect(frames).toHaveLength(frames[0]!.steps);
    const last = frames.at(-1)!;
    expect(frames.slice(0, -1).every(({ pictures }) => pictures === undefined)).toBe(true);
    expect(last.pictures).toEqual(await generator.generate(PROMPT, { count: 2, seed: 8 }));
    expect(last.masked.every((mask) => mask === 0)).toBe(true);
    expect(last.preview).toEqual(last.pictures!.map(({ image }) => image));
    for (const { tokens, masked, preview } of frames) {
      expect(masked).toEqual(Uint8Array.from(tokens, (token) => Number(token === tinyRecipe.tokenizer.codes)));
      expect(preview).toHaveLength(2);
    }
    expect(frames[0]!.masked.some((mask) => mask === 1)).toBe(true);
  });

  it('ends a stream at the next step when its signal is aborted', async () => {
    const stop = new AbortController();
    const steps: number[] = [];
    const watching = async () => {
      for await (const { step } of generator.stream(PROMPT, { signal: stop.signal })) {
        steps.push(step);
        if (step === 2) stop.abort(new Error('enough'));
      }
    };
    await expect(watching()).rejects.toThrow('enough');
    expect(steps).toEqual([1, 2]);
  });

  it('refuses more pictures in a stream than are drawn at once, and options that it does not have', async () => {
    await expect(generator.stream(PROMPT, { count: 17 }).next()).rejects.toThrow(/at most 16 pictures/);
    await expect(generator.generate(PROMPT, { preview: true } as object)).rejects.toThrow(/no option preview/);
  });

  it('compiles the encoder when pictures are first encoded, and checks what goes in and out', async () => {
    const encoders = () => compiled().filter((name) => name?.startsWith('encoder'));
    expect(encoders()).toEqual([]);
    const [picture] = await generator.generate(PROMPT);
    const codes = await generator.encode([picture!.image, picture!.image]);
    expect(encoders()).toEqual(['encoder 1']);
    expect(codes).toHaveLength(2 * generator.tokens);
    expect(codes.subarray(0, generator.tokens)).toEqual(codes.subarray(generator.tokens));
    await generator.encode([picture!.image]);
    expect(encoders()).toEqual(['encoder 1']);
    const wide = { ...picture!.image, width: 32 };
    await expect(generator.encode([wide])).rejects.toThrow(/Picture 1 is 32x16; this model takes 16x16/);
    await expect(generator.decode(codes.subarray(1))).rejects.toThrow(/no whole number of pictures/);
    await expect(generator.decode(codes.map(() => -1))).rejects.toThrow(/Code 1 of picture 1 is -1/);
  });

  it('writes into a PNG how it was made', async () => {
    const [picture] = await generator.generate(PROMPT, { seed: 3 });
    const { Prompt, Seed, Model, Settings } = readPngText(await generator.toPng(picture!));
    expect({ Prompt, Seed, Model }).toEqual({ Prompt: PROMPT, Seed: '3', Model: generator.hash });
    expect(JSON.parse(Settings!)).toEqual(picture!.settings);
  });
});

describe('loading', () => {
  it('takes a CLIP in the place of the one that the run names, and refuses one of another width', async () => {
    const [other, narrow] = [path.join(root, 'other'), path.join(root, 'narrow')];
    exportTinyClip(other);
    exportTinyClip(narrow, 32);
    fs.renameSync(run.clipFolder, `${run.clipFolder}-away`);
    try {
      await expect(Generator.load(run.path, { threads: 1 })).rejects.toThrow(UserError);
      const loadedOther = await Generator.load(run.path, { threads: 1, clip: other });
      expect(await loadedOther.generate(PROMPT)).toEqual(await generator.generate(PROMPT));
      await loadedOther[Symbol.asyncDispose]();
      await expect(loadedOther.generate(PROMPT)).rejects.toThrow(/closed/);
      await expect(Generator.load(run.path, { threads: 1, clip: narrow })).rejects.toThrow(
        /trained with a CLIP of width 64; this one gives 32 numbers/,
      );
    } finally {
      fs.renameSync(`${run.clipFolder}-away`, run.clipFolder);
    }
  });

  it('fetches nothing offline, and names a CLIP that is not there', async () => {
    vi.stubEnv('XDG_CACHE_HOME', path.join(root, 'cache'));
    const loading = Generator.load(run.path, { threads: 1, clip: 'nobody/nothing', offline: true });
    await expect(loading).rejects.toThrow(/nobody\/nothing is not in .*nothing may be fetched/);
    vi.unstubAllEnvs();
  });

  it('ends with the reason of its signal', async () => {
    const early = AbortSignal.abort(new Error('not today'));
    await expect(Generator.load(run.path, { threads: 1, signal: early })).rejects.toThrow('not today');
    const stop = new AbortController();
    const onProgress = ({ part, done }: LoadProgress) => {
      if (part === 'weights' && done === 1) stop.abort(new Error('enough'));
    };
    await expect(Generator.load(run.path, { threads: 1, signal: stop.signal, onProgress })).rejects.toThrow('enough');
  });
});
