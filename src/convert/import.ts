/** From checkpoints of the reference program to a model directory of ours. */

import { UserError } from '../base/errors.ts';
import { float32, type NDArray, type Tree } from '../base/ndarray.ts';
import { option } from '../base/options.ts';
import { flatten } from '../base/tree.ts';
import { readTorch } from '../checkpoint/torch/read.ts';
import { transformerConfig } from '../diffusion/model.ts';
import { diffusionParameters } from '../diffusion/transformer.ts';
import { clipName } from '../embedding/sources/clip-source.ts';
import { DEFAULT_CLIP } from '../embedding/sources/default-clip.ts';
import { adopt } from '../nn/parameters.ts';
import { makeRecipe, parseRecipe } from '../recipe/recipe.ts';
import type { Recipe } from '../recipe/schema.ts';
import { RunDirectory } from '../run/directory.ts';
import { type DiscriminatorShape, discriminatorFrom } from '../vqgan/discriminator.ts';
import { saveDiscriminator } from '../vqgan/discriminator-file.ts';
import { tokenizerParameters } from '../vqgan/model.ts';
import {
  type DiffusionFindings,
  inferDiffusion,
  inferDiscriminator,
  inferSchedule,
  inferTokenizer,
  type ScheduleEnds,
  type TokenizerFindings,
} from './architecture.ts';
import { saveBuffers } from './buffers.ts';
import { findParts, type ReferenceParts, type Tensors, type WeightsChoice } from './reference.ts';

export interface ImportOptions {
  /** Checkpoints of the reference; together they hold a tokenizer, a diffusion model, or both. */
  readonly files: readonly string[];
  /** The folder to make. */
  readonly out: string;
  /** The preset that says what weights do not show: how to sample, how to train on. */
  readonly preset: string;
  /** Attention heads of the transformer; by default of width 32, as in the paper. */
  readonly heads?: number | undefined;
  /** Side of the pictures; needed only where a tokenizer comes without a diffusion model. By default the preset's. */
  readonly imageSize?: number | undefined;
  /** The CLIP the model was trained with: a folder or hub name. By default the paper's, where its width is right. */
  readonly clip?: string | undefined;
  readonly weights: WeightsChoice;
}

export interface Imported {
  readonly run: RunDirectory;
  readonly tokenizer: boolean;
  readonly diffusion: boolean;
  /** What was left out, in one sentence each. */
  readonly notes: readonly string[];
}

const PUBLISHED_SCHEDULE: ScheduleEnds = {
  alphaBarStart: 0.99999,
  alphaBarEnd: 0.000009,
  gammaBarStart: 0.000009,
  gammaBarEnd: 0.99999,
};

/**
 * Make a model directory from checkpoints. The architecture is read off the shapes; the recipe says that guidance uses
 * the null condition as the reference's sampler does, without normalising it. Memory: the tensors that are kept, little
 * more.
 *
 * @throws UserError naming the file, and what is damaged, hostile, missing, or does not belong together.
 */
export function importCheckpoints(options: ImportOptions): Imported {
  RunDirectory.assertFree(options.out);
  const found = gather(options);
  const tokenizer = found.tokenizer && inferTokenizer(found.tokenizer.tensors, found.tokenizer.file);
  const diffusion = found.diffusion && inferDiffusion(found.diffusion.tensors, found.diffusion.file, options.heads);
  checkPair(options, tokenizer, diffusion);

  const discriminator = discriminatorIn(found.tokenizer);
  const buffers = found.diffusion && loadAll(found.diffusion.buffers);
  const schedule = buffers && scheduleIn(buffers, labelOf(options));
  const recipe = recipeFor(options, { tokenizer, diffusion, schedule, discriminator: discriminator?.shape });
  const clip = clipFor(options, diffusion?.conditionDim);
  const params = {
    tokenizer: found.tokenizer && tokenizerFrom(found.tokenizer, recipe),
    diffusion: found.diffusion && diffusion && diffusionFrom(found.diffusion, recipe, diffusion.conditionDim),
  };

  const run = RunDirectory.create(options.out, { seed: 0, data: 'none', clip, recipe });
  if (params.tokenizer) run.saveModel('tokenizer', params.tokenizer, {});
  if (discriminator?.trained) saveDiscriminator(run, discriminator.trained);
  if (params.diffusion) run.saveModel('diffusion', params.diffusion, {});
  if (params.diffusion && buffers && Object.keys(buffers).length > 0)
    saveBuffers(run, flatten(params.diffusion), buffers);
  return {
    run,
    tokenizer: params.tokenizer !== undefined,
    diffusion: params.diffusion !== undefined,
    notes: discriminator?.reason === undefined ? [] : [discriminator.reason],
  };
}

/** The discriminator that the tokenizer was trained with; another kind than ours is left out, with the reason. */
function discriminatorIn(found: Found['tokenizer']) {
  if (!found?.discriminator) return undefined;
  try {
    const shape = inferDiscriminator(found.discriminator, found.file);
    return { shape, trained: discriminatorFrom(loadAll(found.discriminator), shape, found.file) };
  } catch (error) {
    if (error instanceof UserError) return { reason: `The discriminator is left out: ${error.message}` };
    throw error;
  }
}

interface Found {
  readonly tokenizer?: { readonly file: string; readonly tensors: Tensors; readonly discriminator?: Tensors };
  readonly diffusion?: { readonly file: string; readonly tensors: Tensors; readonly buffers: Tensors };
}

/** The parts in all files. A file that is nothing but a tokenizer goes before the copy in a solver's checkpoint. */
function gather({ files, weights }: ImportOptions): Found {
  const parts = files.map((file) => ({ file, ...findParts(readTorch(file), weights, file) }));
  const only = <P extends ReferenceParts & { file: string }>(candidates: readonly P[], what: string): P | undefined => {
    if (candidates.length > 1)
      throw new UserError(`${candidates.map(({ file }) => file).join(' and ')} both hold a ${what}: give one of them`);
    return candidates[0];
  };
  const diffusion = only(
    parts.filter((part) => part.diffusion),
    'diffusion model',
  );
  const tokenizer =
    only(
      parts.filter((part) => part.tokenizer && !part.diffusion),
      'tokenizer',
    ) ?? parts.find((part) => part.tokenizer);
  return {
    ...(tokenizer?.tokenizer && {
      tokenizer: {
        file: tokenizer.file,
        tensors: tokenizer.tokenizer,
        ...(tokenizer.discriminator && { discriminator: tokenizer.discriminator }),
      },
    }),
    ...(diffusion?.diffusion && {
      diffusion: { file: diffusion.file, tensors: diffusion.diffusion, buffers: diffusion.buffers ?? {} },
    }),
  };
}

const labelOf = ({ files }: ImportOptions): string => files.join(', ');

function checkPair(
  options: ImportOptions,
  tokenizer: TokenizerFindings | undefined,
  diffusion: DiffusionFindings | undefined,
): void {
  if (tokenizer && diffusion && tokenizer.settings.codes !== diffusion.codes)
    throw new UserError(
      `${labelOf(options)}: the tokenizer has ${tokenizer.settings.codes} codes, the diffusion model ${diffusion.codes}: they do not belong together`,
    );
}

/** A file without buffers was saved by the reference too: with the published schedule. */
function scheduleIn(buffers: Readonly<Record<string, NDArray>>, label: string): ScheduleEnds {
  const { log_cumprod_at: alpha, log_cumprod_ct: gamma } = buffers;
  return alpha && gamma ? inferSchedule(alpha.data, gamma.data, label) : PUBLISHED_SCHEDULE;
}

interface Findings {
  readonly tokenizer: TokenizerFindings | undefined;
  readonly diffusion: DiffusionFindings | undefined;
  readonly schedule: ScheduleEnds | undefined;
  readonly discriminator: DiscriminatorShape | undefined;
}

/** The preset, with everything that the shapes show in its place. */
function recipeFor(options: ImportOptions, { tokenizer, diffusion, schedule, discriminator }: Findings): Recipe {
  const { imageSize } = options;
  const base = makeRecipe(options.preset);
  // An imported tokenizer has been trained: the networks of the loss are no part of it, and may not fit small pictures.
  const withoutLoss = { perceptualWeight: 0, discriminatorWeight: 0 };
  const codes = diffusion && { codes: diffusion.codes };
  const settings = { ...base.tokenizer, ...withoutLoss, ...tokenizer?.settings, ...discriminator, ...codes };
  const reduction = settings.patchSize * 2 ** (settings.channelMultipliers.length - 1);
  const side = diffusion ? diffusion.grid * reduction : (imageSize ?? base.imageSize);
  if (imageSize !== undefined && side !== imageSize)
    throw new UserError(
      `${labelOf(options)}: the model makes pictures of ${side} pixels: leave ${option('imageSize')} out`,
    );
  const attentionResolutions = tokenizer?.attentionLevels.map((level) => side / settings.patchSize / 2 ** level);
  return parseRecipe(
    {
      ...base,
      preset: 'imported',
      imageSize: side,
      tokenizer: { ...settings, ...(attentionResolutions && { attentionResolutions }) },
      diffusion: { ...base.diffusion, ...diffusion?.settings, ...schedule },
      // The reference visits every step, and contrasts with the null condition as it is.
      sampling: { ...base.sampling, ...(diffusion && { steps: diffusion.settings.timesteps, nullEmbedding: 'raw' }) },
    },
    labelOf(options),
  );
}

function clipFor(options: ImportOptions, dim: number = DEFAULT_CLIP.dim): string {
  if (options.clip !== undefined) return clipName(options.clip);
  if (dim === DEFAULT_CLIP.dim) return DEFAULT_CLIP.name;
  throw new UserError(
    `${labelOf(options)}: the model was trained with a CLIP of width ${dim}: name it with ${option('clip')}, a folder or hub name`,
  );
}

function tokenizerFrom(
  { file, tensors }: NonNullable<Found['tokenizer']>,
  { tokenizer, imageSize }: Recipe,
): Tree<NDArray> {
  return adopt(tokenizerParameters(tokenizer, imageSize), loadAll(tensors), file);
}

function diffusionFrom(
  { file, tensors }: NonNullable<Found['diffusion']>,
  recipe: Recipe,
  conditionDim: number,
): Tree<NDArray> {
  return adopt(diffusionParameters(transformerConfig(recipe, conditionDim)), loadAll(tensors), file);
}

/** The values, in float32 where they were saved wider. */
function loadAll(tensors: Tensors): Record<string, NDArray> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => {
      const array = tensor.load();
      return [name, array.dtype === 'float64' ? float32(Float32Array.from(array.data), array.shape) : array];
    }),
  );
}
