/** The stages of a run as they can be planned: the programs that each of them will compile. */

import type { ClipWords } from '../clip/stage.ts';
import { stepPrograms as clipPrograms } from '../clip/step.ts';
import { clipParameters } from '../clip/towers.ts';
import { type DiffusionRecipe, scheduleOf, transformerConfig } from '../diffusion/model.ts';
import { stepPrograms as diffusionPrograms } from '../diffusion/programs.ts';
import { plannedFootprint } from '../engine/memory/footprint.ts';
import { blank } from '../nn/parameters.ts';
import type { ClipSettings, Recipe, TokenizerRecipe } from '../recipe/schema.ts';
import type { StageName } from '../stage/stage.ts';
import { plannedEncoder } from '../vqgan/codec.ts';
import { lpipsParameters } from '../vqgan/lpips.ts';
import { heldParameters } from '../vqgan/model.ts';
import { lpipsDistance, type PerceptualDistance } from '../vqgan/perceptual.ts';
import { stagePrograms as tokenizerPrograms } from '../vqgan/step.ts';
import type { PlannedStage } from './memory.ts';

/** The compact CLIP, for captions of so many tokens and embeddings of so many words. */
export function clipMemory(
  settings: ClipSettings,
  { rows, known, length }: Pick<ClipWords, 'rows' | 'known' | 'length'>,
): PlannedStage {
  const parameters = clipParameters(settings, known);
  return {
    name: 'clip',
    batch: settings.batch,
    footprint: (parts) => plannedFootprint(clipPrograms({ settings, parameters, rows, length }, parts)),
    smaller: { state: 'clip.imageChannels or clip.vocabulary', activations: 'clip.batch or clip.imageChannels' },
  };
}

/** The tokenizer, with the distance it will look through, or weights of zeros in its place. */
export function tokenizerMemory(recipe: TokenizerRecipe, perceptual = blankLpips(recipe)): PlannedStage {
  return {
    name: 'tokenizer',
    batch: recipe.tokenizer.batch,
    footprint: (parts) => plannedFootprint(tokenizerPrograms(recipe, perceptual, parts)),
    smaller: { state: 'tokenizer.channels', activations: 'tokenizer.channels or imageSize' },
  };
}

/** The diffusion model in one of its stages. `recipe.diffusion` holds the settings of that stage. */
export function denoiserMemory(
  name: 'diffusion' | 'finetune',
  recipe: DiffusionRecipe,
  conditionDim: number,
): PlannedStage {
  const config = transformerConfig(recipe, conditionDim);
  return {
    name,
    batch: recipe.diffusion.batch,
    footprint: (parts) => plannedFootprint(diffusionPrograms(config, scheduleOf(recipe), recipe.diffusion, parts)),
    smaller: { state: 'diffusion.layers or diffusion.dim', activations: 'diffusion.layers or diffusion.dim' },
  };
}

/** Encoding pictures with the trained tokenizer, `batch` of them at a time. */
export function encodingMemory(recipe: TokenizerRecipe, batch: number): PlannedStage {
  const params = blank(heldParameters(recipe));
  return {
    name: 'encoding',
    batch,
    footprint: (parts) => plannedFootprint([plannedEncoder(params, recipe, batch / parts)]),
    smaller: { state: 'tokenizer.channels', activations: 'tokenizer.channels or imageSize' },
  };
}

/** A stage of a recipe before anything is known of its words and its CLIP: its captions are as long as those of drawn faces. */
export function plannedStage(name: StageName, recipe: Recipe, conditionDim: number): PlannedStage {
  switch (name) {
    case 'clip': {
      const { vocabulary } = recipe.clip;
      const words = { rows: new Int32Array(vocabulary), known: vocabulary, length: CAPTION_TOKENS };
      return clipMemory(recipe.clip, words);
    }
    case 'tokenizer':
      return tokenizerMemory(recipe);
    case 'diffusion':
      return denoiserMemory(name, recipe, conditionDim);
    case 'finetune':
      return denoiserMemory(name, { ...recipe, diffusion: { ...recipe.diffusion, ...recipe.finetune } }, conditionDim);
  }
}

/** Tokens of a drawn face's caption, about. */
const CAPTION_TOKENS = 16;

/** LPIPS of the right shapes. Features of a CLIP are cheap beside it, and not known before there is one. */
function blankLpips({ tokenizer }: TokenizerRecipe): PerceptualDistance | undefined {
  const { perceptualNet: net, perceptualWeight } = tokenizer;
  if (perceptualWeight === 0 || net === 'clip') return undefined;
  return lpipsDistance({ net, params: blank(lpipsParameters(net)), id: '' });
}
