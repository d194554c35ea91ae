/** What a resumed run may change: lengths, rates and places; nothing is written for it. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tinyStages } from '../../test/support/tiny-stages.ts';
import { writeSafetensors } from '../checkpoint/safetensors.ts';
import { changedRecipe } from '../recipe/recipe.ts';
import { RunDirectory } from '../run/directory.ts';
import { provenanceTexts } from '../run/provenance.ts';
import { openResumed, type ResumeOptions } from './resumed.ts';
import { standingOf } from './standing.ts';

const folder = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-resume-')), 'run');
afterAll(() => fs.rmSync(path.dirname(folder), { recursive: true }));
let before: string;
const place = path.dirname(folder);
beforeAll(() => {
  const fullSteps = { clip: 900, tokenizer: 900, diffusion: 900, finetune: 0 };
  const run = RunDirectory.create(folder, { seed: 1, data: place, clip: '/clip', recipe: tinyStages, fullSteps });
  for (const stage of ['tokenizer', 'diffusion']) {
    const texts = { format: 'clip-vqdiffusion checkpoint', stage, step: '12', fingerprint: 'f' };
    writeSafetensors(run.file('checkpoints', `${stage}.safetensors`), {}, texts);
  }
  before = fs.readFileSync(run.file('run.json'), 'utf8');
});

it('trains the model that generates for longer, or the stage that is named', () => {
  const { settings, notes } = openResumed(folder, { longer: '2x' });
  expect([settings.recipe.tokenizer.steps, settings.recipe.diffusion.steps]).toEqual([12, 24]);
  expect(notes).toHaveLength(1);
  expect(notes[0]).toMatch(/^diffusion: 24 steps instead of 12, 12 of them done; its learning rate goes on at/);
  expect(openResumed(folder, { stages: ['tokenizer'], longer: '+3' }).settings.recipe.tokenizer.steps).toBe(15);
});

it('lets a run that was cut short come to the steps of its preset, and no trained step be undone', () => {
  const steps = (maxSteps: number) =>
    openResumed(folder, { stages: ['tokenizer'], maxSteps }).settings.recipe.tokenizer.steps;
  expect([4, 12, 50, 900, 5000].map(steps)).toEqual([12, 12, 50, 900, 900]);
  expect(() => openResumed(folder, { stages: ['diffusion'], longer: '5' })).toThrow(/diffusion has 12 steps already/);
});

it('takes a lower learning rate, steps, and pictures and a CLIP in another place, and no other setting', () => {
  const set = { 'tokenizer.learningRate': '1e-5', 'diffusion.steps': '30' };
  const { settings, notes } = openResumed(folder, { set, data: os.tmpdir(), clip: '/clips/mine' });
  expect(settings.recipe.tokenizer.learningRate).toBe(1e-5);
  expect(settings.recipe.diffusion.steps).toBe(30);
  expect(settings).toMatchObject({ data: os.tmpdir(), clip: '/clips/mine' });
  expect(notes[0]).toBe('tokenizer.learningRate is 1e-5 from here on');
  const refused = (options: object) => () => openResumed(folder, { ...options });
  expect(refused({ set: { 'diffusion.dim': '32' } })).toThrow(/was started with another diffusion\.dim/);
  expect(refused({ seed: 2 })).toThrow(/was started with `seed: 1`/);
  expect(refused({ data: '/nowhere' })).toThrow(
    /The pictures of .* are not in \/nowhere any more: name their place with `data`/,
  );
  expect(refused({ data: 'faces' })).toThrow(/was started with `data: /);
  expect(refused({ clip: 'compact' })).toThrow(/was started with `clip: /);
  expect(fs.readFileSync(path.join(folder, 'run.json'), 'utf8')).toBe(before);
});

it('lengthens models together, and none under another that stays as it is before it is chosen what becomes of that one', () => {
  const { recipe } = openResumed(folder, { maxSteps: 50 }).settings;
  expect([recipe.tokenizer.steps, recipe.diffusion.steps]).toEqual([50, 50]);
  const longer = { set: { 'tokenizer.steps': '50' } };
  expect(() => openResumed(folder, longer)).toThrow(
    /with tokenizer of 50 steps, diffusion \(12 steps\) no longer fits: .*`changed: "restart"`.*`stages: "diffusion"`/,
  );
  for (const changed of ['restart', 'go-on'] as const)
    expect(openResumed(folder, { ...longer, changed }).settings.recipe.tokenizer.steps).toBe(50);
  const alone = openResumed(folder, { maxSteps: 50, stages: ['diffusion'] });
  expect(alone.settings.recipe.diffusion.steps).toBe(50);
});

it('a tokenizer that compares pictures through the CLIP of its run does not fit to a longer one', () => {
  const resumed = (weight: string) => {
    const recipe = changedRecipe(tinyStages, {
      ...{ 'tokenizer.perceptualNet': 'clip', 'tokenizer.perceptualWeight': weight },
    });
    const run = RunDirectory.create(path.join(place, `weight-${weight}`), {
      seed: 1,
      data: 'faces',
      clip: 'compact',
      recipe,
    });
    const texts = { format: 'clip-vqdiffusion checkpoint', stage: 'tokenizer', step: '12', fingerprint: 'f' };
    writeSafetensors(run.file('checkpoints', 'tokenizer.safetensors'), {}, texts);
    return openResumed(run.path, { set: { 'clip.steps': `${recipe.clip.steps + 10}` } });
  };
  expect(() => resumed('1')).toThrow(/with clip of \d+ steps, tokenizer \(12 steps\) no longer fits/);
  expect(resumed('0').notes).toHaveLength(1);
});

it('speaks of the stages that the run has, and of no CLIP that is not its own', () => {
  const { notes } = openResumed(folder, { maxSteps: 50, changed: 'go-on' });
  expect(notes.map((note) => note.split(':')[0])).toEqual(['tokenizer', 'diffusion']);
});

it('goes on with models that the same command has made longer, also after a kill between them; another change is for the user', () => {
  const run = RunDirectory.create(path.join(place, 'killed'), {
    ...{ seed: 1, data: place, clip: '/clip', recipe: tinyStages },
    fullSteps: { tokenizer: 900, diffusion: 900 },
  });
  const was = { tokenizer: 'of step 12', clip: 'a' };
  for (const stage of ['tokenizer', 'diffusion']) {
    const texts = provenanceTexts({ step: 12, fingerprint: 'f', madeFrom: was });
    writeSafetensors(
      run.file('checkpoints', `${stage}.safetensors`),
      {},
      {
        ...{ format: 'clip-vqdiffusion checkpoint', stage },
        ...texts,
      },
    );
  }
  const standing = (options: ResumeOptions, now: object) => () => {
    const { settings } = openResumed(run.path, options);
    const again = RunDirectory.open(run.changed(settings).path);
    const stage = { name: 'diffusion', steps: settings.recipe.diffusion.steps, fingerprint: 'g' };
    return standingOf(again, { ...stage, madeFrom: { ...was, ...now } }, undefined).candidates.length;
  };
  const tokenizer = { tokenizer: 'of step 50' };
  expect(standing({}, tokenizer)).toThrow(
    /the tokenizer changed since its checkpoint of step 12.*`changed: "restart"`/,
  );
  expect(standing({ maxSteps: 50 }, tokenizer)()).toBe(1);
  // The next command names no lengths, and another process reads what the first has written down.
  expect(standing({}, tokenizer)()).toBe(1);
  expect(standing({}, { ...tokenizer, clip: 'b' })).toThrow(/the tokenizer and the CLIP changed/);
  expect(standing({ stages: ['tokenizer'], longer: '+1' }, tokenizer)).toThrow(/the tokenizer changed/);
});
