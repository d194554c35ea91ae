/** A run directory of the smallest model that generates, with random weights. */

import path from 'node:path';
import { unflatten } from '../../src/base/tree.ts';
import { RunDirectory } from '../../src/run/directory.ts';
import { diffusionOf, exportTinyClip, tinyRecipe, tokenizerOf } from './tiny-model.ts';

/** Writes the run and its CLIP, `<folder>-clip`; returns the folder of the CLIP. */
export function writeTinyRun(folder: string): string {
  const clip = path.resolve(`${folder}-clip`);
  exportTinyClip(clip);
  const recipe = { ...tinyRecipe, sampling: { ...tinyRecipe.sampling, steps: 4 } };
  const run = RunDirectory.create(folder, { seed: 0, data: 'faces', clip, recipe });
  run.saveModel('tokenizer', unflatten(tokenizerOf(recipe)), {});
  run.saveModel('diffusion', unflatten(diffusionOf(recipe)), {});
  return clip;
}
