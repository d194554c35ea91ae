/** Whatever is killed at whatever rename or fsync, going on ends in the same bytes, and leaves nothing behind. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { changedRecipe } from '../src/recipe/recipe.ts';
import { RunDirectory, type RunSettings } from '../src/run/directory.ts';
import { exportModel } from '../src/run/export.ts';
import { openPictures } from '../src/training/pictures/pictures.ts';
import { trainPipeline } from '../src/training/pipeline.ts';
import { stageNames } from '../src/training/stages.ts';
import { type Life, livingUntil } from './support/dying.ts';
import { shareEngines } from './support/keeping-engine.ts';
import { tinyStages } from './support/tiny-stages.ts';

shareEngines();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-kill-'));
const cache = process.env.XDG_CACHE_HOME;
process.env.XDG_CACHE_HOME = path.join(folder, 'cache');
afterAll(() => {
  if (cache === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = cache;
  fs.rmSync(folder, { recursive: true });
});

const recipe = changedRecipe(tinyStages, {
  images: '10',
  'clip.pairs': '12',
  'finetune.batch': '3',
  'finetune.warmupSteps': '2',
  ...Object.fromEntries(stageNames.map((stage) => [`${stage}.steps`, '3'])),
});
const settings: RunSettings = { seed: 7, data: 'faces', clip: 'compact', recipe };

/** What a command does from the beginning, or goes on with, to the exported model. */
async function work(name: string): Promise<void> {
  const place = path.join(folder, name, 'run');
  const display = { step() {}, count: () => () => {}, note() {} };
  const watch = { signal: new AbortController().signal, display };
  const run = RunDirectory.exists(place) ? RunDirectory.open(place) : RunDirectory.create(place, settings);
  const pictures = await openPictures(settings, watch, run);
  const common = { run, pictures, stages: stageNames, engineOptions: { threads: 1 }, resume: true, checkpointEvery: 2 };
  await trainPipeline({ ...common, sheets: { prompts: ['a man'] }, sheetEvery: 2, ...watch });
  const model = path.join(folder, name, 'model');
  if (!fs.existsSync(model)) await exportModel(run, model, { title: 'faces' });
}

/** Files below a folder that are no diary, with their bytes. */
function contents(name: string): Map<string, string> {
  const root = path.join(folder, name);
  const files = fs.readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  return new Map(
    files
      .filter((file) => fs.statSync(path.join(root, file)).isFile() && !DIARY.test(file))
      .map((file) => [file, fs.readFileSync(path.join(root, file)).toString('base64')]),
  );
}
/** Each attempt lives this much longer than the one before, so that it comes further. */
const STRIDE = 9;

/** Times of day and rates are in these. */
const DIARY = /^(?:metrics\.jsonl|log\.jsonl|curves\.png|tensorboard|.*\.previous\.safetensors)/;

const stepsOf = (name: string): unknown[] =>
  fs
    .readFileSync(path.join(folder, name, 'run', 'log.jsonl'), 'utf8')
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
    .map(({ stage, step, loss }) => [stage, step, loss]);

it('a run that dies at one moment after another ends as one that never died, byte for byte', async () => {
  const whole = livingUntil(Number.POSITIVE_INFINITY, 'after');
  await work('whole');
  whole.end();
  expect(whole.moments).toBeGreaterThan(30);

  let deaths = 0;
  for (let at = 1; ; at += STRIDE) {
    const life: Life = livingUntil(at, deaths % 2 === 0 ? 'before' : 'after');
    const failure: unknown = await work('killed').then(
      () => undefined,
      (error: unknown) => error,
    );
    life.end();
    if (!life.isOver) {
      if (failure !== undefined) throw failure;
      break;
    }
    deaths++;
    // The owner of a lock lives on here, unlike one that was killed.
    fs.rmSync(path.join(folder, 'killed', 'run', 'lock.json'), { force: true });
  }
  expect(deaths).toBeGreaterThan(5);
  for (const one of ['run', 'model']) {
    const [killed, wanted] = [contents(`killed/${one}`), contents(`whole/${one}`)];
    expect([...killed.keys()]).toEqual([...wanted.keys()]);
    expect([...killed].filter(([name, bytes]) => bytes !== wanted.get(name)).map(([name]) => name)).toEqual([]);
  }
  expect(fs.readdirSync(path.join(folder, 'killed')).sort()).toEqual(['model', 'run']);
  expect([...contents('whole/run').keys()]).toEqual(
    expect.arrayContaining(['condition-report.json', 'finetune/model.safetensors', 'samples/finetune-0000003.png']),
  );
  expect(stepsOf('killed')).toEqual(stepsOf('whole'));
});
