/**
 * A model to give away makes the pictures that its run makes, wherever it lies; a run whose CLIP was moved with it
 * finds it.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { shareEngines } from '../../test/support/keeping-engine.ts';
import { diffusionOf, exportTinyClip, tinyRecipe, tokenizerOf } from '../../test/support/tiny-model.ts';
import { unflatten } from '../base/tree.ts';
import { readMetadata, readSafetensors } from '../checkpoint/safetensors.ts';
import { hashTensors } from '../checkpoint/safetensors-hashes.ts';
import { Generator } from '../generation/generator.ts';
import { RunDirectory } from './directory.ts';
import { exportModel } from './export.ts';
import { checkMadeFrom } from './lineage.ts';
import { madeFromTexts } from './provenance.ts';

shareEngines();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-give-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const at = (...parts: string[]) => path.join(folder, ...parts);

function makeRun(name: string, clip: string): RunDirectory {
  const run = RunDirectory.create(at(name), { seed: 3, data: at('private pictures'), clip, recipe: tinyRecipe });
  run.saveModel('tokenizer', unflatten(tokenizerOf(tinyRecipe)), {});
  const texts = madeFromTexts({ tokenizer: run.stageHash('tokenizer') });
  run.saveModel('diffusion', unflatten(diffusionOf(tinyRecipe)), texts);
  fs.writeFileSync(run.file('cache', 'inventory.jsonl'), 'private');
  fs.writeFileSync(run.file('diffusion', 'embeddings.safetensors'), 'statistics');
  return run;
}

/** Of eight pictures, one after another. */
async function tokensOf(model: string): Promise<number[]> {
  const generator = await Generator.load(model, { threads: 1 });
  try {
    const pictures = await generator.generate(['a red face'], { steps: 3, count: 8 });
    return pictures.flatMap(({ tokens }) => [...tokens]);
  } finally {
    await generator.close();
  }
}

async function pictureOf(model: string): Promise<Buffer> {
  const generator = await Generator.load(model, { threads: 1 });
  try {
    const [picture] = await generator.generate(['a red face'], { steps: 3 });
    return await generator.toPng(picture!);
  } finally {
    await generator.close();
  }
}

it('holds nothing but what generates, and makes the same file of a picture', async () => {
  exportTinyClip(at('clips', 'mine'));
  const run = makeRun('run', at('clips', 'mine'));
  const before = await pictureOf(run.path);
  const made = await exportModel(run, at('model'));
  const files = fs.readdirSync(at('model'), { recursive: true, encoding: 'utf8' }).sort();
  expect(files.filter((name) => fs.statSync(at('model', name)).isFile())).toEqual([
    'README.md',
    ...[
      'config.json',
      'model.safetensors',
      'onnx/text_model.onnx',
      'onnx/vision_model.onnx',
      'preprocessor_config.json',
      'tokenizer.json',
    ].map((name) => `clip/${name}`),
    'clip/tokenizer_config.json',
    'diffusion/embeddings.safetensors',
    'diffusion/model.safetensors',
    'run.json',
    'tokenizer/model.safetensors',
  ]);
  expect(fs.readFileSync(at('model', 'run.json'), 'utf8')).not.toContain(folder);
  expect(fs.readFileSync(at('model', 'README.md'), 'utf8')).not.toContain(folder);
  for (const [part, stage] of [
    ['tokenizer', 'tokenizer'],
    ['denoiser', 'diffusion'],
  ] as const) {
    const file = at('model', stage, 'model.safetensors');
    expect(readMetadata(file)).toMatchObject({
      ...readMetadata(run.file(stage, 'model.safetensors')),
      'clipvq.sha256': expect.any(String),
      'modelspec.sai_model_spec': '1.0.1',
      'modelspec.architecture': `clip-vqdiffusion-v1/${part}`,
      'modelspec.implementation': 'clip-vqdiffusion',
      'modelspec.title': `model, ${part}`,
      'modelspec.resolution': '16x16',
      'modelspec.hash_sha256': `0x${hashTensors(file)}`,
    });
    expect(readSafetensors(file).tensors).toEqual(run.readModel(stage).tensors);
  }
  expect(RunDirectory.open(at('model')).modelHash()).toBe(run.modelHash());
  expect(made.bytes).toBeGreaterThan(1000);
  await expect(exportModel(run, at('model'))).rejects.toThrow(/is not empty/);
  fs.rmSync(at('run'), { recursive: true });
  fs.rmSync(at('clips'), { recursive: true });
  fs.renameSync(at('model'), at('elsewhere'));
  expect((await pictureOf(at('elsewhere'))).equals(before)).toBe(true);
});

it('with 16 bits is half as large and belongs together, and draws most tokens as before', async () => {
  exportTinyClip(at('half clip'));
  const run = makeRun('half', at('half clip'));
  fs.rmSync(run.file('diffusion', 'embeddings.safetensors'));
  await exportModel(run, at('half model'), { float16: true });
  const half = RunDirectory.open(at('half model'));
  for (const stage of ['tokenizer', 'diffusion'] as const) {
    const files = [run, half].map((of) => of.file(stage, 'model.safetensors')) as [string, string];
    expect(fs.statSync(files[1]).size / fs.statSync(files[0]).size).toBeLessThan(0.6);
    expect(readMetadata(files[1])['modelspec.hash_sha256']).toBe(`0x${hashTensors(files[1])}`);
    const [before, after] = [run.readModel(stage).tensors, half.readModel(stage).tensors];
    // Rounded to 10 fraction bits, and these to 8.
    const bound = 2 ** -11 + 2 ** -9;
    for (const [name, { data }] of Object.entries(before)) {
      const far = data.findIndex((x, i) => Math.abs(x - after[name]!.data[i]!) > bound * Math.abs(x) + 2 ** -22);
      expect([name, far]).toEqual([name, -1]);
    }
  }
  expect(half.modelHash()).not.toBe(run.modelHash());
  expect(() => checkMadeFrom(half, 'diffusion')).not.toThrow();
  const [whole, drawn] = [await tokensOf(run.path), await tokensOf(half.path)];
  const changed = whole.filter((token, i) => token !== drawn[i]).length;
  expect(changed / whole.length).toBeLessThan(0.05);
  fs.truncateSync(half.file('tokenizer', 'model.safetensors'), 5000);
  await expect(Generator.load(half.path, { threads: 1 })).rejects.toThrow(/tokenizer.model\.safetensors.*cut off/);
});

it('is not made of files that do not belong together', async () => {
  exportTinyClip(at('clip'));
  const run = makeRun('mixed', at('clip'));
  const other = Object.fromEntries(
    Object.entries(tokenizerOf(tinyRecipe)).map(([name, array]) => [
      name,
      { ...array, data: array.data.map((x) => x + 1) },
    ]),
  );
  run.saveModel('tokenizer', unflatten(other as ReturnType<typeof tokenizerOf>), {});
  await expect(exportModel(run, at('mixed model'))).rejects.toThrow(/belongs to another tokenizer/);
  expect(fs.existsSync(at('mixed model'))).toBe(false);
});

it('finds its CLIP again when both are moved together, and says what to do when it is gone', async () => {
  exportTinyClip(at('here', 'clip'));
  makeRun('here/run', at('here', 'clip'));
  fs.renameSync(at('here'), at('there'));
  const run = RunDirectory.open(at('there', 'run'));
  expect(run.settings.clip).toBe(at('there', 'clip'));
  fs.renameSync(at('there', 'clip'), at('clip elsewhere'));
  await expect(Generator.load(run.path)).rejects.toThrow(
    /The CLIP of .* is not in .* any more: name its folder with `clip`/,
  );
  await (await Generator.load(run.path, { clip: at('clip elsewhere'), threads: 1 })).close();
});
