/** A demo that is killed ends as one that is not. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { livingUntil } from '../../test/support/dying.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { RunDirectory } from '../run/directory.ts';
import { sweepRun } from '../run/leftovers.ts';
import { fitDiffusion, writeAnswers } from './demo.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-demo-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const settings = { seed: 0, data: 'faces', clip: 'shipped', recipe: makeRecipe('demo') };

it('keeps the length that it has chosen for its diffusion model, whatever a step takes later', async () => {
  const run = RunDirectory.create(path.join(folder, 'fitted'), { ...settings, fullSteps: { diffusion: 5000 } });
  const now = { out: run.path, minutes: 1, seed: 0, speed: 1, resume: true };
  expect(await fitDiffusion(RunDirectory.open(run.path), now)).toHaveProperty('settings', run.settings);
});

it('leaves its pictures and its sheet whole, and nothing beside them, at whatever rename or fsync it dies', () => {
  const run = RunDirectory.create(path.join(folder, 'answers'), settings);
  const write = () => writeAnswers(run, [Buffer.from('one'), Buffer.from('two')], Buffer.from('page'));
  let deaths = 0;
  for (let at = 1; ; at++) {
    const life = livingUntil(at, at % 2 === 0 ? 'before' : 'after');
    try {
      write();
    } catch {
      deaths++;
    }
    life.end();
    if (!life.isOver) break;
    sweepRun(run);
  }
  expect(deaths).toBeGreaterThan(5);
  expect(fs.readdirSync(run.file('images')).sort()).toEqual(['01.png', '02.png']);
  expect(fs.readFileSync(run.file('sheet.png'), 'utf8')).toBe('page');
  expect(fs.readdirSync(run.path).filter((name) => name.includes('.tmp'))).toEqual([]);
});
