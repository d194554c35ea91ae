/**
 * A run that goes on from another model's weights, on other pictures: its settings, and the copies of the weights it
 * starts from.
 */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import { unflatten } from '../base/tree.ts';
import { readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import { transformerConfig } from '../diffusion/model.ts';
import { diffusionParameters } from '../diffusion/transformer.ts';
import { makeFolder } from '../files/atomic.ts';
import { changedRecipe } from '../recipe/recipe.ts';
import type { Recipe } from '../recipe/schema.ts';
import { originFile, originFolder } from '../stage/origin.ts';
import { DISCRIMINATOR_FILE } from '../vqgan/discriminator-file.ts';
import { tokenizerParameters } from '../vqgan/model.ts';
import { RunDirectory, type RunSettings } from './directory.ts';
import { checkMadeFrom } from './lineage.ts';
import { madeFromTexts } from './provenance.ts';

/** The stages that can start from weights. A second stage starts from the first one's anyway. */
const PARTS = ['tokenizer', 'diffusion'] as const;

/**
 * The settings of a run that goes on from `source`: those of the source, but the tokenizer goes on where it ended, with
 * codes from the first step and at the last temperature; then `changes`. A compact CLIP is looked up where the source
 * has it.
 * @throws UserError naming a change that does not exist, does not fit, or needs networks of another shape.
 */
export function settingsFrom(
  source: RunDirectory,
  {
    data,
    seed,
    clip,
    changes = {},
  }: Pick<RunSettings, 'data' | 'seed'> & {
    clip?: string | undefined;
    changes?: Readonly<Record<string, string>> | undefined;
  },
): RunSettings {
  const { settings } = source;
  for (const [name, value] of Object.entries(changes))
    if (shapesOf(changedRecipe(settings.recipe, { [name]: value })) !== shapesOf(settings.recipe))
      throw new UserError(
        `${option('set', `${name}=${value}`)}: the weights of ${source.path} have another shape; leave it as it is`,
      );
  const own = settings.clip === 'compact' ? path.resolve(source.clipFolder) : settings.clip;
  return { seed, data, clip: clip ?? own, recipe: changedRecipe(trainedOn(settings.recipe), changes) };
}

/** What a recipe's networks look like, whatever the CLIP is. */
const shapesOf = (recipe: Recipe): string =>
  JSON.stringify([
    recipe.imageSize,
    tokenizerParameters(recipe.tokenizer, recipe.imageSize),
    diffusionParameters(transformerConfig(recipe, 1)),
    recipe.diffusion.heads,
  ]);

function trainedOn(recipe: Recipe): Recipe {
  const { tokenizer } = recipe;
  const goesOn = {
    autoencoderFraction: 0,
    klWarmup: 0,
    perceptualAfter: 0,
    temperatureStart: tokenizer.temperatureEnd,
  };
  return { ...recipe, tokenizer: { ...tokenizer, ...goesOn } };
}

/**
 * Make a run directory that starts from the weights of `source`. They are its models, too, each until its stage has
 * trained.
 * @throws UserError if the source has none, the folder holds a run, or the disk refuses.
 */
export function createFrom(source: RunDirectory, folder: string, settings: RunSettings): RunDirectory {
  RunDirectory.assertFree(folder);
  const stages = { tokenizer: 'tokenizer', diffusion: source.denoiserStage } as const;
  const parts = PARTS.filter((part) => source.hasModel(stages[part]));
  if (parts.length === 0) throw new UserError(`${source.path} holds no trained model to start from`);
  if (parts.includes('diffusion')) checkMadeFrom(source, stages.diffusion);
  // The settings come after the weights: a folder with settings starts from all of them, or is none.
  makeFolder(originFolder(folder));
  const models = parts.map((part) => [part, source.readModel(stages[part]).tensors] as const);
  for (const [part, tensors] of models) writeSafetensors(originFile(folder, part), tensors, {});
  const discriminatorOf = (one: RunDirectory) => one.file(...DISCRIMINATOR_FILE);
  const kept = discriminatorOf(source);
  const discriminator = fs.existsSync(kept) ? readSafetensors(kept).tensors : undefined;
  if (discriminator) writeSafetensors(originFile(folder, 'discriminator'), discriminator, {});
  const run = RunDirectory.create(folder, settings);
  for (const [part, tensors] of models) {
    // The copy of the diffusion model belongs to the codes of the tokenizer beside it: another one will not do.
    const isPair = part === 'diffusion' && parts.includes('tokenizer');
    run.saveModel(part, unflatten(tensors), isPair ? madeFromTexts({ tokenizer: run.stageHash('tokenizer') }) : {});
  }
  if (discriminator) writeSafetensors(discriminatorOf(run), discriminator, {});
  return run;
}
