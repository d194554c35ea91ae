/** Sheets of a tiny run: which stage has them and when, and that training does not notice them. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { shareEngines } from '../../../test/support/keeping-engine.ts';
import { writeTinyClip } from '../../../test/support/tiny-clip.ts';
import { TINY_STEPS, tinyStages } from '../../../test/support/tiny-stages.ts';
import type { NDArray } from '../../base/ndarray.ts';
import { unflatten } from '../../base/tree.ts';
import { sharp } from '../../data/pictures/sharp.ts';
import { RunDirectory } from '../../run/directory.ts';
import { openPictures } from '../pictures/pictures.ts';
import { type PipelineOptions, trainPipeline } from '../pipeline.ts';
import { SHEET_FOLDER, sheetFile } from './sheet-files.ts';
import { Sheets, trimSheets } from './sheets.ts';

shareEngines();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sheets-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const clip = path.join(folder, 'clip');
writeTinyClip(clip, 'clip');

const notes: string[] = [];
const display = { step() {}, count: () => () => {}, note: (text: string) => void notes.push(text) };
const watch = { signal: new AbortController().signal, display };

async function trained(name: string, options: Partial<PipelineOptions>): Promise<RunDirectory> {
  const recipe = { ...tinyStages, images: 8 };
  const run = RunDirectory.create(path.join(folder, name), { seed: 7, data: 'faces', clip, recipe });
  const pictures = await openPictures(run.settings, watch, run);
  const common = { run, pictures, stages: ['tokenizer', 'diffusion'] as const, engineOptions: { threads: 1 } };
  await trainPipeline({ ...common, ...watch, resume: false, checkpointEvery: 100, ...options });
  return run;
}
const sheetsOf = (run: RunDirectory) => fs.readdirSync(run.file(SHEET_FOLDER)).sort();
const bytesOf = (run: RunDirectory, stage: string) => fs.readFileSync(run.file(stage, 'model.safetensors'));

it('sheets within stages are named by step, from the same pictures and seeds, and no bit of training depends on them', async () => {
  const bare = await trained('bare', {});
  expect(fs.existsSync(bare.file(SHEET_FOLDER))).toBe(false);
  const every = Math.ceil(TINY_STEPS / 2);
  const watched = await trained('watched', { sheets: { prompts: ['a hat'] }, sheetEvery: every });
  expect(notes.filter((note) => note.includes('not drawn'))).toEqual([]);
  for (const stage of ['tokenizer', 'diffusion']) expect(bytesOf(watched, stage)).toEqual(bytesOf(bare, stage));
  const names = ['diffusion', 'tokenizer'].flatMap((stage) =>
    [every, TINY_STEPS].map((step) => path.basename(sheetFile(stage, step))),
  );
  expect(sheetsOf(watched)).toEqual(names);
  const drawn = fs.readFileSync(watched.file(sheetFile('diffusion', TINY_STEPS)));
  expect(drawn.subarray(1, 4).toString()).toBe('PNG');

  const again = new Sheets(
    { run: watched, engineOptions: { threads: 1 }, ...watch },
    { prompts: ['a hat'], pictures: undefined },
  );
  await again.after('diffusion', 1);
  expect(fs.readFileSync(watched.file(sheetFile('diffusion', TINY_STEPS)))).toEqual(drawn);
  expect(await again.after('tokenizer', 1)).toBeUndefined();
  expect(await again.after('clip', 1)).toBeUndefined();

  trimSheets(watched, 'diffusion', every);
  expect(sheetsOf(watched)).toEqual(names.filter((name) => name !== path.basename(sheetFile('diffusion', TINY_STEPS))));
});

it('sparing sheets are of long stages alone, as long as they cost little, and like pictures where there are no prompts', async () => {
  const run = RunDirectory.open(path.join(folder, 'watched'));
  const { source } = await openPictures(run.settings, watch, run);
  const context = { run, engineOptions: { threads: 1 }, ...watch };
  const sparing = new Sheets(context, { prompts: [], pictures: source, isSparing: true });
  let looked = 0;
  const weights = async () => {
    looked++;
    return unflatten<NDArray>(run.readModel('diffusion').tensors);
  };
  await sparing.during({ name: 'diffusion', weights }, 3, 599);
  expect([looked, await sparing.after('diffusion', 599)]).toEqual([0, undefined]);
  notes.length = 0;
  await sparing.during({ name: 'diffusion', weights }, 3, Number.POSITIVE_INFINITY);
  expect(notes).toEqual([]);
  expect(sheetsOf(run)).toContain(path.basename(sheetFile('diffusion', 3)));
  // Now it is known that a sheet takes longer than 0 s.
  expect(await sparing.after('diffusion', Number.MIN_VALUE)).toBeUndefined();

  const file = run.file(sheetFile('diffusion', 3));
  const { height = 0 } = await sharp(fs.readFileSync(file)).metadata();
  const full = new Sheets(context, { prompts: ['a', 'b', 'c', 'd', 'e'], pictures: source });
  await full.during({ name: 'diffusion', weights }, 3, 1);
  expect((await sharp(fs.readFileSync(file)).metadata()).height).toBeGreaterThan(height);
});

it('a sheet that fails is noted, and is no end of training', async () => {
  const run = RunDirectory.open(path.join(folder, 'bare'));
  const sheets = new Sheets(
    { run, engineOptions: { threads: 1 }, ...watch },
    { prompts: ['a hat'], pictures: undefined },
  );
  notes.length = 0;
  await sheets.during({ name: 'diffusion', weights: async () => ({}) }, 3, 1);
  expect(notes.join()).toMatch(/^diffusion: the sheet of step 3 was not drawn: the diffusion model lacks/);
});
