/**
 * A whole model in the smallest sizes that the reference could have too, with random weights: for imports, exports and
 * the command line.
 */

import { int32, type NDArray } from '../../src/base/ndarray.ts';
import { flatten, unflatten } from '../../src/base/tree.ts';
import { exportClip } from '../../src/clip/export.ts';
import { clipParameters } from '../../src/clip/towers.ts';
import { transformerConfig } from '../../src/diffusion/model.ts';
import { diffusionParameters } from '../../src/diffusion/transformer.ts';
import { Bpe } from '../../src/embedding/compact/bpe.ts';
import { initialize } from '../../src/nn/parameters.ts';
import { makeRecipe, parseRecipe } from '../../src/recipe/recipe.ts';
import type { Recipe } from '../../src/recipe/schema.ts';
import { RunDirectory } from '../../src/run/directory.ts';
import { discriminatorBuffers, discriminatorParameters } from '../../src/vqgan/discriminator.ts';
import { tokenizerParameters } from '../../src/vqgan/model.ts';

export type Flat = Record<string, NDArray>;

const nano = makeRecipe('nano');
/** Width of the CLIP embedding. The reference wants that of the transformer. */
export const CONDITION = 64;

export const tinyRecipe: Recipe = parseRecipe(
  {
    ...nano,
    imageSize: 16,
    tokenizer: {
      ...nano.tokenizer,
      patchSize: 1,
      channels: 32,
      channelMultipliers: [1, 2],
      attentionResolutions: [8],
      middleAttention: true,
      normGroups: 32,
      latentChannels: 8,
      codeDim: 8,
      codes: 10,
      normalizeLatents: false,
      perceptualWeight: 0,
      discriminatorWeight: 0,
    },
    diffusion: { ...nano.diffusion, layers: 2, dim: 64, heads: 2, timesteps: 7, mlpRatio: 2, gammaBarEnd: 0.99999 },
    sampling: { ...nano.sampling, steps: 7 },
  },
  'test',
);

/** The same with fewer nodes to compile, for tests that look at other things than the networks. */
export const leanRecipe: Recipe = {
  ...tinyRecipe,
  tokenizer: {
    ...tinyRecipe.tokenizer,
    ...{ patchSize: 2, channels: 8, channelMultipliers: [1], normGroups: 4 },
    ...{ attentionResolutions: [], middleAttention: false },
  },
  diffusion: { ...tinyRecipe.diffusion, layers: 1, dim: 32 },
};

export const tokenizerOf = ({ tokenizer, imageSize }: Recipe): Flat =>
  flatten<NDArray>(initialize(tokenizerParameters(tokenizer, imageSize), 1));

export const diffusionOf = (recipe: Recipe, condition = CONDITION): Flat =>
  flatten<NDArray>(initialize(diffusionParameters(transformerConfig(recipe, condition)), 2));

const discriminatorShape = { discriminatorLayers: 2, discriminatorChannels: 4 };

/** A discriminator under the names that a tokenizer's checkpoint has for it. */
export const discriminatorOf = (): Flat =>
  Object.fromEntries(
    Object.entries({
      ...flatten<NDArray>(initialize(discriminatorParameters(discriminatorShape), 4)),
      ...flatten<NDArray>(initialize(discriminatorBuffers(discriminatorShape), 4)),
    }).map(([name, array]) => [
      `loss.discriminator.${name}`,
      name.endsWith('num_batches_tracked') ? int32([3], []) : array,
    ]),
  );

/** Writes an untrained compact CLIP into a folder, by default of the right width, and with a text tower of width 8. */
export function exportTinyClip(folder: string, dim = CONDITION, width = 8): void {
  const sizes = { dim, imageSize: 16, imageChannels: 8, textWidth: width, textHidden: width, vocabulary: 600 };
  const settings = { ...nano.clip, ...sizes };
  const bpe = new Bpe([]);
  const { rows, known } = bpe.rowsOf(['a red face']);
  exportClip(folder, { settings, bpe, rows, params: initialize(clipParameters(settings, known), 3) });
}

/**
 * Makes a run directory of the tiny model, its CLIP included, as if it had been trained.
 * @param width of the CLIP: its embedding; with less than 16, its text tower is half as wide.
 */
export function writeTinyRun(folder: string, recipe = tinyRecipe, width = CONDITION): RunDirectory {
  const run = RunDirectory.create(folder, { seed: 1, data: 'faces', clip: 'compact', recipe });
  exportTinyClip(run.clipFolder, width, Math.min(8, width / 2));
  run.saveModel('tokenizer', unflatten(tokenizerOf(recipe)), {});
  run.saveModel('diffusion', unflatten(diffusionOf(recipe, width)), {});
  return run;
}
