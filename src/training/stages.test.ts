/** The list of stages: what identifies each of them has not moved, so that runs made before resume. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeRecipe, presets } from '../recipe/recipe.ts';
import { RunDirectory } from '../run/directory.ts';
import { stageNames, stages, stagesOf } from './stages.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-stages-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

/**
 * Of each preset, with seed 7, as runs of version 0.1.0 have them in their checkpoints: the CLIP on drawn faces and on
 * other pairs, the tokenizer and the diffusion model from random weights and from those of another model, and the
 * second stage.
 */
const FINGERPRINTS: readonly (readonly [preset: string, fingerprints: readonly string[]])[] = [
  [
    'nano',
    [
      '8a6b91745342ace1',
      '8b5f65f8cb84d65d',
      'bc6a2d10f401b9b3',
      '727d83ca004e8e75',
      '38449192e1ffc427',
      '2e173c9571430d3b',
      '2e4ebd3a1153b825',
    ],
  ],
  [
    'small',
    [
      '36e15fead686a18b',
      'c239075ba13c32ff',
      '9d9a38dde918d719',
      'ea59e1e68d0044bf',
      '6e4f400cdcf51b65',
      'f330ef4c29126004',
      'b68a3140a7245edb',
    ],
  ],
  [
    'base',
    [
      '16ed2e85e4bb02f4',
      '4eff9b78664df1db',
      '9a781e57e9305d01',
      '41806fcc06fa9077',
      '614273634b77c131',
      'ebc597ed317980b6',
      '5103bc770b01fe21',
    ],
  ],
  [
    'fashion',
    [
      'e6286f88463b4ba6',
      '37dcc287f570536f',
      '5e9163816cbca5b7',
      '43ec9bced95d9ea1',
      '253d680154254d3e',
      'f2b65ba90c1116f8',
      'aad90b069d1e5323',
    ],
  ],
  [
    'ffhq-256',
    [
      '8a6b91745342ace1',
      '8b5f65f8cb84d65d',
      'e638df370095bfb1',
      'cdfb84d70c647eeb',
      '5cb32331eae7da3d',
      'af9139194dcf6555',
      '405dfb5f053e5580',
    ],
  ],
  [
    'demo',
    [
      '8a6b91745342ace1',
      '8b5f65f8cb84d65d',
      'cfcce503be7a9b9a',
      'f7834d49b3ba6a29',
      '1985f581c3c1b73b',
      '6c8a4428ba7e7c94',
      '17f23b2ff8b191da',
    ],
  ],
  [
    'coco-256',
    [
      '8a6b91745342ace1',
      '8b5f65f8cb84d65d',
      '2eb37158232beb25',
      'd936dccc50397efb',
      '5b88c7825e2ccf4f',
      '7f962cc7e66263f9',
      '172604c290d976b8',
    ],
  ],
];

/** A run whose models are stand-ins, and may be what it started from too. */
function runOf(preset: string, fromOrigin: boolean): RunDirectory {
  const settings = { seed: 7, data: 'faces', clip: 'no such folder', recipe: makeRecipe(preset) };
  const run = RunDirectory.create(path.join(folder, `${preset}-${fromOrigin}`), settings);
  fs.writeFileSync(run.file('diffusion', 'model.safetensors'), 'weights');
  if (!fromOrigin) return run;
  fs.mkdirSync(run.file('origin'));
  for (const part of ['tokenizer', 'discriminator', 'diffusion'])
    fs.writeFileSync(run.file('origin', `${part}.safetensors`), 'weights');
  return run;
}

describe('fingerprints', () => {
  it('are known of every preset', () => {
    expect(FINGERPRINTS.map(([preset]) => preset).sort()).toEqual(Object.keys(presets).sort());
  });

  it.each(FINGERPRINTS)('of %s have not moved', (preset, expected) => {
    const [run, from] = [runOf(preset, false), runOf(preset, true)];
    const { clip, tokenizer, diffusion, finetune } = stages;
    expect([
      clip.fingerprint(run, undefined),
      clip.fingerprint(run, 'pairs'),
      tokenizer.fingerprint(run, 'pictures'),
      tokenizer.fingerprint(from, 'pictures'),
      diffusion.fingerprint(run, 'latents'),
      diffusion.fingerprint(from, 'latents'),
      finetune.fingerprint(run, 'latents'),
    ]).toEqual(expected);
  });
});

it('are listed in the order in which a run trains them, under their own names', () => {
  expect(stageNames).toEqual(['clip', 'tokenizer', 'diffusion', 'finetune']);
  expect(stageNames.map((name) => stages[name].name)).toEqual(stageNames);
});

it('belong to a run by its settings: a CLIP of its own, and steps of a second stage', () => {
  const settings = (clip: string, steps: string) => ({
    ...{ seed: 0, data: 'faces', clip },
    recipe: makeRecipe('nano', { 'finetune.steps': steps }),
  });
  expect(stagesOf(settings('compact', '0'))).toEqual(['clip', 'tokenizer', 'diffusion']);
  expect(stagesOf(settings('owner/name', '5'))).toEqual(['tokenizer', 'diffusion', 'finetune']);
});
