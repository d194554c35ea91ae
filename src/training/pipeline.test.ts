/**
 * A whole run on a folder of pictures: what changes around it costs no trained step, and models that do not belong
 * together are refused.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { shareEngines } from '../../test/support/keeping-engine.ts';
import { readLog } from '../../test/support/run-log.ts';
import { writeTinyClip } from '../../test/support/tiny-clip.ts';
import { TINY_STEPS, tinyStages } from '../../test/support/tiny-stages.ts';
import { readMetadata } from '../checkpoint/safetensors.ts';
import { encodePng } from '../data/pictures/png.ts';
import { Generator } from '../generation/generator.ts';
import { integers } from '../random/noise.ts';
import { changedRecipe } from '../recipe/recipe.ts';
import { RunDirectory, type RunSettings } from '../run/directory.ts';
import { openPictures } from './pictures/pictures.ts';
import { type PipelineOptions, trainPipeline } from './pipeline.ts';
import type { StageName } from './stages.ts';

shareEngines();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-pipeline-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const pictures = path.join(folder, 'pictures');
const clip = path.join(folder, 'clip');
const settings: RunSettings = { seed: 7, data: pictures, clip, recipe: tinyStages };

async function addPicture(name: string, n: number): Promise<void> {
  const data = Uint8Array.from(integers({ seed: n, stream: 'pixels', step: 0 }, 0, 16 * 16 * 3, 256));
  fs.writeFileSync(path.join(pictures, name), await encodePng({ width: 16, height: 16, data }, {}));
}

beforeAll(async () => {
  writeTinyClip(clip, 'clip');
  fs.mkdirSync(pictures);
  for (let n = 0; n < 8; n++) await addPicture(`${n}.png`, n);
});

async function train(run: RunDirectory, stages: readonly StageName[], options: Partial<PipelineOptions> = {}) {
  const notes: string[] = [];
  const display = { step() {}, count: () => () => {}, note: (text: string) => notes.push(text) };
  const watch = { signal: new AbortController().signal, display };
  const found = await openPictures(run.settings, watch, run);
  const common = { run, pictures: found, stages, engineOptions: { threads: 1 }, resume: true, checkpointEvery: 4 };
  await trainPipeline({ ...common, ...watch, ...options });
  return notes.join('\n');
}

const both = ['tokenizer', 'diffusion'] as const;
const modelOf = (run: RunDirectory, stage: StageName) => fs.readFileSync(run.file(stage, 'model.safetensors'));
const stepOf = (run: RunDirectory, stage: StageName) =>
  Number(readMetadata(run.file('checkpoints', `${stage}.safetensors`)).step);

it('trains the same model when its pictures are renamed and moved half-way, and goes on when one joins or is away', async () => {
  const whole = RunDirectory.create(path.join(folder, 'whole'), settings);
  await train(whole, both);
  fs.cpSync(whole.path, path.join(folder, 'pair'), { recursive: true });
  expect(fs.readFileSync(whole.file('README.md'), 'utf8')).toContain('a folder of the owner, 8 of them');
  const parts = RunDirectory.create(path.join(folder, 'parts'), settings);
  await train(parts, both, { maxSteps: 5 });
  fs.mkdirSync(path.join(pictures, 'sub'));
  for (const n of [0, 3, 5])
    fs.renameSync(path.join(pictures, `${n}.png`), path.join(pictures, 'sub', `z${9 - n}.png`));
  await train(parts, ['tokenizer']);
  expect(modelOf(parts, 'tokenizer').equals(modelOf(whole, 'tokenizer'))).toBe(true);

  const more = RunDirectory.create(path.join(folder, 'more'), settings);
  await train(more, ['tokenizer'], { maxSteps: 5 });
  await addPicture('0-new.png', 99);
  fs.truncateSync(path.join(pictures, '1.png'));
  expect(await train(more, ['tokenizer'])).toMatch(
    /tokenizer: the pictures changed since its checkpoint of step 5; it goes on/,
  );
  const steps = readLog(more.path).map(({ step }) => step);
  expect(steps).toEqual(Array.from({ length: TINY_STEPS }, (_, i) => i + 1));
  await addPicture('1.png', 1);
  fs.rmSync(path.join(pictures, '0-new.png'));
  const model = modelOf(more, 'tokenizer');
  expect(await train(more, ['tokenizer'])).toMatch(
    /tokenizer: the pictures changed since it was trained; it stays as it is/,
  );
  expect(modelOf(more, 'tokenizer').equals(model)).toBe(true);
});

it('refuses a diffusion model beside another tokenizer, in training and in generating, until it is set to train anew', async () => {
  const run = RunDirectory.open(path.join(folder, 'pair'));
  await (await Generator.load(run.path, { threads: 1 })).close();
  const old = modelOf(run, 'diffusion');
  const recipe = changedRecipe(tinyStages, { 'tokenizer.steps': `${TINY_STEPS + 2}` });
  const longer = JSON.parse(fs.readFileSync(run.file('run.json'), 'utf8'));
  fs.writeFileSync(run.file('run.json'), JSON.stringify({ ...longer, recipe }));
  const again = RunDirectory.open(run.path);
  await train(again, ['tokenizer']);
  expect(stepOf(again, 'tokenizer')).toBe(TINY_STEPS + 2);
  await expect(Generator.load(run.path, { threads: 1 })).rejects.toThrow(
    /diffusion.model\.safetensors belongs to another tokenizer model than the one in .*train it anew with `train\({ run: /,
  );
  await expect(train(again, ['diffusion'])).rejects.toThrow(
    /diffusion: the tokenizer changed since its checkpoint of step 12, its last, which was not touched: add `changed: "restart"`/,
  );
  expect(modelOf(run, 'diffusion').equals(old)).toBe(true);
  await train(again, ['diffusion'], { changed: 'restart' });
  await (await Generator.load(run.path, { threads: 1 })).close();
});
