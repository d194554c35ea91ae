/** Checkpoints of PyTorch on the command line: into a model, out of it, on to more training, and what is refused. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../../src/checkpoint/safetensors.ts';
import type { Writable } from '../../src/checkpoint/torch/pickle.ts';
import { writeTorch } from '../../src/checkpoint/torch/write.ts';
import type { Recipe } from '../../src/recipe/schema.ts';
import { runClipvq } from '../support/cli.ts';
import { shareEngines } from '../support/keeping-engine.ts';
import { readLog } from '../support/run-log.ts';
import {
  diffusionOf,
  discriminatorOf,
  exportTinyClip,
  type Flat,
  tinyRecipe,
  tokenizerOf,
} from '../support/tiny-model.ts';

shareEngines();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-convert-cli-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const at = (...parts: string[]) => path.join(folder, ...parts);

const clipvq = (...args: string[]) => runClipvq(folder, ...args);

async function clipvqJson(...args: string[]): Promise<unknown> {
  const { status, stdout, stderr } = await clipvq(...args, '--json');
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

const dict = (content: Flat) => new Map<string, Writable>(Object.entries(content));
const weights = (...parts: string[]) => readSafetensors(at(...parts)).tensors;

/** Largest difference between tensors of the same names. */
function distance(a: Flat, b: Flat): number {
  expect(Object.keys(a).sort()).toEqual(Object.keys(b).sort());
  return Math.max(
    ...Object.entries(a).map(([name, { data }]) =>
      Array.from(data).reduce((most, x, i) => Math.max(most, Math.abs(x - b[name]!.data[i]!)), 0),
    ),
  );
}

/** Attention in the middle alone, and one layer; `src/convert/convert.test.ts` reads more of them. */
const recipe: Recipe = {
  ...tinyRecipe,
  tokenizer: { ...tinyRecipe.tokenizer, attentionResolutions: [] },
  diffusion: { ...tinyRecipe.diffusion, layers: 1 },
};
const tokenizer = tokenizerOf(recipe);
const diffusion = diffusionOf(recipe);

beforeAll(async () => {
  writeTorch(
    at('tokenizer.ckpt'),
    new Map<string, Writable>([['state_dict', dict({ ...tokenizer, ...discriminatorOf() })]]),
  );
  writeTorch(at('released.pt'), dict(diffusion));
  exportTinyClip(at('clip'));
  const files = ['tokenizer.ckpt', 'released.pt'];
  const made = await clipvqJson('convert', ...files, '--out', 'model', '--clip', 'clip', '--preset', 'nano');
  expect(made).toMatchObject({ model: 'model', tokenizer: true, diffusion: true, recipe: { imageSize: 16 } });
});

describe('convert', () => {
  it('makes a model that generates', async () => {
    const made = await clipvqJson(
      'generate',
      '--model',
      'model',
      'a red face',
      '-n',
      '1',
      '--steps',
      '2',
      '--out',
      'face.png',
    );
    expect(made).toMatchObject({ images: [{ path: 'face.png' }] });
    expect(fs.existsSync(at('face.png'))).toBe(true);
  });

  it('writes checkpoints of PyTorch, which give the same model again', async () => {
    for (const [part, file] of [
      ['tokenizer', 'back.ckpt'],
      ['diffusion', 'back.pt'],
    ] as const)
      expect(await clipvqJson('convert', 'model', '--to', 'torch', '--part', part, '--out', file)).toMatchObject({
        part,
      });
    await clipvqJson('convert', 'back.ckpt', 'back.pt', '--out', 'again', '--clip', 'clip', '--preset', 'nano');
    for (const part of ['tokenizer', 'diffusion']) {
      const bytes = (model: string) => fs.readFileSync(at(model, part, 'model.safetensors'));
      expect(bytes('again').equals(bytes('model')), part).toBe(true);
    }
  });
});

describe('train --from', () => {
  const train = (run: string, ...more: string[]) =>
    clipvq('train', '--from', 'model', '--data', 'faces', '--run', run, ...more);
  const brief = ['tokenizer.steps=2', 'tokenizer.batch=2', 'diffusion.steps=2', 'diffusion.batch=2', 'images=6'];
  const sets = (...changes: string[]) => changes.flatMap((change) => ['--set', change]);
  const adversary = ['tokenizer.discriminatorWeight=0.5', 'tokenizer.discriminatorStart=0'];
  const still = sets(
    ...adversary,
    ...brief,
    'tokenizer.learningRate=1e-12',
    'diffusion.learningRate=1e-12',
    'diffusion.weightDecay=0',
  );

  it('starts every stage from the weights of the model', async () => {
    const { status, stderr } = await train('still', ...still);
    expect(status, stderr).toBe(0);
    expect(distance(weights('still', 'tokenizer', 'model.safetensors'), tokenizer)).toBeLessThan(1e-6);
    const discriminator = weights('still', 'tokenizer', 'discriminator.safetensors');
    const kept = Object.entries(discriminatorOf()).filter(([name]) => !/running|num_batches/.test(name));
    const own = Object.fromEntries(
      kept.map(([name]) => [name, discriminator[name.slice('loss.discriminator.'.length)]!]),
    );
    expect(distance(own, Object.fromEntries(kept))).toBeLessThan(1e-6);
    // Two steps of its own, which discriminator two batches each, after the three it had.
    expect(discriminator['main.3.num_batches_tracked']!.data[0]).toBe(7);
    expect(distance(weights('still', 'diffusion', 'model.safetensors'), diffusion)).toBeLessThan(1e-6);
  });

  it('learns, keeps what it is not asked to train, and resumes', async () => {
    const { status, stderr } = await train('further', '--stage', 'diffusion', '--max-steps', '1', ...sets(...brief));
    expect(status, stderr).toBe(0);
    expect(distance(weights('further', 'tokenizer', 'model.safetensors'), tokenizer)).toBe(0);
    const once = weights('further', 'diffusion', 'model.safetensors');
    expect(distance(once, diffusion)).toBeGreaterThan(1e-6);
    const resumed = await clipvq('train', '--run', 'further', '--resume', '--stage', 'diffusion', '--longer', '2x');
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(readLog(at('further')).map(({ step }) => step)).toEqual([1, 2]);
    expect(distance(weights('further', 'diffusion', 'model.safetensors'), once)).toBeGreaterThan(0);
  });

  it.each<[string, string[], RegExp]>([
    ['no model', ['--from', 'nowhere', '--data', 'faces'], /nowhere/],
    ['a preset beside it', ['--from', 'model', '--data', 'faces', '--preset', 'nano'], /leave --preset out/],
    ['another shape', ['--from', 'model', '--data', 'faces', '--set', 'diffusion.layers=3'], /diffusion\.layers=3/],
    ['no pictures', ['--from', 'model'], /--data/],
  ])('refuses %s in one line', async (_, args, says) => {
    const { status, stderr } = await clipvq('train', '--run', 'new', ...args);
    expect(stderr).toMatch(says);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(status).toBe(2);
    expect(fs.existsSync(at('new'))).toBe(false);
  });
});

describe('convert', () => {
  beforeAll(() => {
    fs.writeFileSync(at('text.ckpt'), 'not a checkpoint');
    fs.writeFileSync(at('evil.pt'), '\x80\x02cposix\nsystem\nX\x0c\x00\x00\x00touch pwned!\x85R.', 'latin1');
    fs.writeFileSync(at('cut.pt'), fs.readFileSync(at('released.pt')).subarray(0, 30_000));
    const flipped = fs.readFileSync(at('released.pt'));
    flipped[flipped.length >> 1]! ^= 1;
    fs.writeFileSync(at('flipped.pt'), flipped);
  });

  it.each<[string, string[], RegExp]>([
    ['a file of another kind', ['text.ckpt'], /text\.ckpt: not a PyTorch checkpoint/],
    ['a file that would run something', ['evil.pt'], /evil\.pt: .*nothing was run: it names posix\.system/],
    ['a file that was cut off', ['cut.pt'], /cut\.pt/],
    ['a file with a flipped bit', ['flipped.pt', '--clip', 'clip'], /flipped\.pt: .*checksum/],
    ['a missing file', ['nowhere.pt'], /nowhere\.pt/],
    ['a folder', ['model'], /model is a folder/],
    ['two of a kind', ['released.pt', 'released.pt'], /both hold a diffusion model/],
    ['an unknown width of CLIP', ['released.pt'], /--clip/],
    ['checkpoints where a run is wanted', ['released.pt', '--to', 'torch'], /released\.pt/],
  ])('refuses %s in one line', async (_, args, says) => {
    const { status, stdout, stderr } = await clipvq('convert', ...args, '--out', 'new');
    expect(stderr).toMatch(says);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect([stdout, status]).toEqual(['', 2]);
    expect(fs.existsSync(at('new'))).toBe(false);
    expect(fs.existsSync(at('pwned!'))).toBe(false);
  });
});
