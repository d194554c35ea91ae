/** What is read off runs while they train and afterwards: how far they are, their curves, and in what they differ. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sharp } from '../../data/pictures/sharp.ts';
import { recipeDifferences } from '../../recipe/differences.ts';
import { makeRecipe } from '../../recipe/recipe.ts';
import { RunDirectory } from '../../run/directory.ts';
import { lockRun } from '../../run/lock.ts';
import { provenanceTexts } from '../../run/provenance.ts';
import { curvesOf, lastLogged, readLogged } from './curves.ts';
import { curvePanels, drawCurves } from './curves-chart.ts';
import { findRuns, summarizeRun } from './summary.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'runs-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const recipe = makeRecipe('nano', { 'tokenizer.steps': '5', 'diffusion.steps': '9' });
const create = (name: string) =>
  RunDirectory.create(path.join(folder, name), { seed: 0, data: 'faces', clip: 'somewhere', recipe });
const texts = (step: number) => provenanceTexts({ step, fingerprint: 'f', madeFrom: {} });

it('a run says how far its stages are, by its models and its log, and who trains it', () => {
  const run = create('a');
  expect(summarizeRun(run.path)).toMatchObject({ state: 'stopped', trainer: undefined, preset: 'nano' });
  run.saveModel('tokenizer', {}, texts(5));
  run.log({ stage: 'diffusion', step: 3, loss: 1 });
  fs.appendFileSync(run.file('log.jsonl'), '{"stage":"diffusion","step":4,"lo');
  const { stages } = summarizeRun(run.path);
  expect(stages).toEqual([
    { name: 'tokenizer', step: 5, steps: 5, isDone: true },
    { name: 'diffusion', step: 3, steps: 9, isDone: false },
  ]);
  const lock = lockRun(run.path);
  expect(summarizeRun(run.path)).toMatchObject({ state: 'training', trainer: { pid: process.pid } });
  lock.release();
  run.saveModel('diffusion', {}, texts(9));
  expect(summarizeRun(run.path).state).toBe('done');
});

it('runs are found below a folder, the latest first, and what is no run is left out', () => {
  const [older, newer] = [create('x/older'), create('newer')];
  fs.utimesSync(older.file('run.json'), 1, 1);
  fs.utimesSync(older.file('checkpoints'), 1, 1);
  fs.mkdirSync(path.join(folder, 'broken'));
  fs.writeFileSync(path.join(folder, 'broken', 'run.json'), '{');
  expect(findRuns(folder).map(({ run }) => run)).toEqual([newer.path, older.path]);
  expect(findRuns(newer.path)).toHaveLength(1);
  expect(() => findRuns(path.join(folder, 'none'))).toThrow(/There is no folder/);
});

it('curves hold every number of every stage; where there are too many points, means of neighbours', () => {
  const run = create('a');
  for (let step = 1; step <= 10; step++) run.log({ stage: 'clip', step, loss: step, stateBytes: 1, note: 'x' });
  run.log({ stage: 'diffusion', step: 1, loss: 7 });
  const log = readLogged(run.file('log.jsonl'));
  expect(lastLogged(run.file('log.jsonl'))).toEqual({ stage: 'diffusion', step: 1, values: { loss: 7 } });
  const [clip, diffusion, ...others] = curvesOf(log, 4);
  expect(clip).toEqual({
    stage: 'clip',
    name: 'loss',
    points: [
      { x: 2, y: 2 },
      { x: 5, y: 5 },
      { x: 8, y: 8 },
      { x: 10, y: 10 },
    ],
  });
  expect([diffusion?.points, others]).toEqual([[{ x: 1, y: 7 }], []]);
  expect(readLogged(path.join(folder, 'none'))).toEqual([]);
});

it('two logs share a panel for each number that either has, and are drawn as a PNG', async () => {
  const log = (values: Record<string, number>) =>
    [1, 2, 3].map((step) => ({ stage: 'clip', step, values: { ...values, bad: Number.NaN } }));
  const logs = [
    { name: 'A', log: log({ loss: 1 }) },
    { name: 'B', log: log({ loss: 2, psnr: 3 }) },
  ];
  expect(curvePanels(logs).map(({ title, series }) => [title, series.map(({ label }) => label)])).toEqual([
    ['clip: loss', ['A', 'B']],
    ['clip: psnr', ['B']],
  ]);
  const picture = await drawCurves('Training', 'two runs', logs);
  const { width, height, format } = await sharp(picture!).metadata();
  expect([format, width! > 600, height! > 300]).toEqual(['png', true, true]);
  expect(await drawCurves('Training', 'nothing', [{ name: 'A', log: [] }])).toBeUndefined();
});

it('recipes differ in the settings that have other values, lists too, and in nothing else', () => {
  const other = makeRecipe('nano', { 'tokenizer.steps': '5', 'diffusion.steps': '10', 'pictures.exclude': '["a"]' });
  expect(recipeDifferences(recipe, other)).toEqual([
    { name: 'pictures.exclude', a: [], b: ['a'] },
    { name: 'diffusion.steps', a: 9, b: 10 },
  ]);
  expect(recipeDifferences(recipe, recipe)).toEqual([]);
});
