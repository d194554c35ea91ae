/** Each stage in the smallest sizes, for tests of the trainer: real programs, a few steps of milliseconds. */

import { clipStage } from '../../src/clip/stage.ts';
import { latentsOf } from '../../src/diffusion/latents.ts';
import { diffusionStage } from '../../src/diffusion/stage.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { integers, normals } from '../../src/random/noise.ts';
import { changedRecipe, makeRecipe } from '../../src/recipe/recipe.ts';
import type { Recipe } from '../../src/recipe/schema.ts';
import type { RunDirectory } from '../../src/run/directory.ts';
import type { Lineage, Stage } from '../../src/stage/stage.ts';
import { tokenizerStage } from '../../src/vqgan/stage.ts';
import { picturesOf } from './pictures.ts';

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
      const [size, tokens, dim] = [10, (recipe.imageSize / recipe.tokenizer.patchSize) ** 2, 8];
      const codes = Int32Array.from(
        integers({ seed: 5, stream: 'codes', step: 0 }, 0, size * tokens, recipe.tokenizer.codes),
      );
      const features = Float32Array.from(normals({ seed: 5, stream: 'features', step: 0 }, 0, size * dim));
      for (let i = 0; i < size; i++) {
        const row = features.subarray(i * dim, (i + 1) * dim);
        const length = Math.hypot(...row);
        for (const [d, x] of row.entries()) row[d] = x / length;
      }
      const latents = latentsOf(codes, tokens, features, dim);
      const onExport = (params: Parameters<typeof run.saveModel>[1], texts: Lineage) =>
        run.saveModel('diffusion', params, texts);
      return diffusionStage({ ...common, name, recipe, latents, onExport });
    }
  }
}
