/** Each stage in the smallest sizes, for tests of the trainer: real programs, a few steps of milliseconds. */

import { clipStage } from '../../src/clip/stage.ts';
import { diffusionStage } from '../../src/diffusion/stage.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { integers } from '../../src/random/noise.ts';
import { changedRecipe, makeRecipe } from '../../src/recipe/recipe.ts';
import type { Recipe } from '../../src/recipe/schema.ts';
import type { RunDirectory } from '../../src/run/directory.ts';
import type { Lineage, Stage } from '../../src/stage/stage.ts';
import { tokenizerStage } from '../../src/vqgan/stage.ts';
import { picturesOf } from './pictures.ts';
import { randomLatents, TINY_LATENTS } from './tiny-latents.ts';

export const TINY_STEPS = 12;

/** A recipe whose stages all have `TINY_STEPS` steps. */
export const tinyStages: Recipe = changedRecipe(makeRecipe('nano'), {
  imageSize: '16',
  'clip.dim': '12',
  'clip.imageSize': '16',
  'clip.imageChannels': '8',
  'clip.textWidth': '8',
  'clip.textHidden': '8',
  'clip.context': '12',
  'clip.vocabulary': '300',
  'clip.steps': `${TINY_STEPS}`,
  'clip.batch': '6',
  'clip.captions': '1',
  'clip.warmupSteps': '2',
  'tokenizer.channels': '8',
  'tokenizer.channelMultipliers': '[1]',
  'tokenizer.residualBlocks': '1',
  'tokenizer.attentionResolutions': '[]',
  'tokenizer.middleAttention': 'false',
  'tokenizer.normGroups': '4',
  'tokenizer.latentChannels': '6',
  'tokenizer.codes': '16',
  'tokenizer.codeDim': '6',
  'tokenizer.perceptualWeight': '0',
  'tokenizer.steps': `${TINY_STEPS}`,
  'tokenizer.batch': '4',
  'tokenizer.warmupSteps': '2',
  'diffusion.layers': '1',
  'diffusion.dim': '16',
  'diffusion.heads': '2',
  'diffusion.timesteps': '5',
  'diffusion.steps': `${TINY_STEPS}`,
  'diffusion.batch': '3',
  'diffusion.warmupSteps': '2',
  'sampling.steps': '5',
});

const bytes = (count: number, side: number, seed: number): Uint8Array =>
  Uint8Array.from(integers({ seed, stream: 'pixels', step: 0 }, 0, count * side * side * 3, 256));

/** A stage by its name, that exports into `run`. */
export function tinyStage(
  name: 'clip' | 'tokenizer' | 'diffusion',
  engine: Engine,
  run: RunDirectory,
  recipe = tinyStages,
): Stage {
  const common = { engine, seed: 7, fingerprint: 'a', madeFrom: { settings: 's' } };
  switch (name) {
    case 'clip': {
      const { clip: settings } = recipe;
      const side = settings.imageSize;
      const caption = (i: number) => ['a red hat', 'a blue shoe', 'green trees'][i % 3]!;
      const pairs = { images: bytes(20, side, 1), size: 20, side, caption };
      return clipStage({ ...common, settings, pairs, folder: run.clipFolder });
    }
    case 'tokenizer': {
      const pictures = picturesOf(bytes(10, recipe.imageSize, 2), recipe.imageSize);
      const onExport = (params: Parameters<typeof run.saveModel>[1], texts: Lineage) =>
        run.saveModel('tokenizer', params, texts);
      return tokenizerStage({ ...common, recipe, pictures, onExport });
    }
    case 'diffusion': {
      const tokens = (recipe.imageSize / recipe.tokenizer.patchSize) ** 2;
      const latents = randomLatents(recipe, { ...TINY_LATENTS, tokens });
      const onExport = (params: Parameters<typeof run.saveModel>[1], texts: Lineage) =>
        run.saveModel('diffusion', params, texts);
      return diffusionStage({ ...common, name, recipe, latents, onExport });
    }
  }
}
