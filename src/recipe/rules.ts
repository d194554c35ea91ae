/** Rules between settings of a recipe, which the schema of a single setting cannot express. */

import { UserError } from '../base/errors.ts';
import { type SamplerName, stepRange } from '../diffusion/samplers/index.ts';
import { gridSize, type Recipe, type SamplingSettings } from './schema.ts';

/** @throws UserError where guidance would end before it begins. */
export function refuseEmptyInterval({ guidanceFrom, guidanceUntil }: SamplingSettings, where: string): void {
  if (guidanceFrom > guidanceUntil)
    throw new UserError(
      `${where}: guidance would end (guidanceUntil ${guidanceUntil}) before it begins (guidanceFrom ${guidanceFrom}): swap them`,
    );
}

/** Below this side the last features of LPIPS would be empty. */
const LPIPS_SIDE = 32;

/** @throws UserError naming the settings that do not fit each other, and what to do. */
export function refuseUnfit(recipe: Recipe, where: string): void {
  const { clip, diffusion, tokenizer, sampling } = recipe;
  refuseEmptyInterval(sampling, `${where}: sampling`);
  const grid = gridSize(recipe);
  if (!Number.isInteger(grid))
    throw new UserError(
      `${where}: imageSize ${recipe.imageSize} does not divide into patches of ${tokenizer.patchSize}, halved ${tokenizer.channelMultipliers.length - 1} times`,
    );
  if (clip.imageSize < 16 || !Number.isInteger(Math.log2(clip.imageSize)))
    throw new UserError(`${where}: clip.imageSize ${clip.imageSize} is not 16, 32, 64, …`);
  if (clip.imageChannels % 8 !== 0)
    throw new UserError(`${where}: clip.imageChannels ${clip.imageChannels} is not a multiple of 8`);
  const { channels, channelMultipliers, normGroups } = tokenizer;
  const ungrouped = [1, ...channelMultipliers].find((multiplier) => (channels * multiplier) % normGroups !== 0);
  if (ungrouped !== undefined)
    throw new UserError(
      `${where}: tokenizer.normGroups ${normGroups} does not divide ${channels * ungrouped} channels`,
    );
  const { perceptualWeight, perceptualNet, discriminatorWeight, discriminatorLayers } = tokenizer;
  if (perceptualWeight > 0 && perceptualNet !== 'clip' && recipe.imageSize < LPIPS_SIDE)
    throw new UserError(
      `${where}: LPIPS (tokenizer.perceptualWeight) needs pictures of ${LPIPS_SIDE} pixels; imageSize is ${recipe.imageSize}`,
    );
  if (discriminatorWeight > 0 && recipe.imageSize < 3 * 2 ** discriminatorLayers)
    throw new UserError(
      `${where}: tokenizer.discriminatorLayers ${discriminatorLayers} are too many for ${recipe.imageSize} pixels: nothing is left to tell apart`,
    );
  const { crop, flip, views } = recipe.pictures;
  if (views > 1 && (crop === 'centre' || crop === 'pad') && !flip)
    throw new UserError(
      `${where}: pictures.views ${views} would all be the same: set pictures.crop=random or pictures.flip=true`,
    );
  if (grid % diffusion.fold !== 0)
    throw new UserError(
      `${where}: diffusion.fold ${diffusion.fold} does not divide a grid of ${grid}x${grid} tokens: set diffusion.fold=1`,
    );
  if (diffusion.dim % diffusion.heads !== 0)
    throw new UserError(`${where}: diffusion.dim ${diffusion.dim} does not divide into ${diffusion.heads} heads`);
  if (diffusion.alphaBarEnd + diffusion.gammaBarEnd > 1 || diffusion.alphaBarStart + diffusion.gammaBarStart > 1)
    throw new UserError(`${where}: diffusion: alphaBar + gammaBar may not exceed 1`);
}

/**
 * The recipe of a new run: settings that could never be used, or would have no effect, are refused before training.
 * A run that exists already may have such settings and is useful all the same, with others named for sampling.
 * @throws UserError naming the settings, and what to do.
 */
export function refuseWithoutEffect(recipe: Recipe, where: string): void {
  const { diffusion, sampling, tokenizer } = recipe;
  refuseSteps(sampling, { times: diffusion.timesteps, tokens: gridSize(recipe) ** 2 }, `${where}: sampling`);
  const sides = tokenizer.channelMultipliers.map((_, level) => recipe.imageSize / tokenizer.patchSize / 2 ** level);
  const absent = tokenizer.attentionResolutions.find((side) => !sides.includes(side));
  if (absent !== undefined)
    throw new UserError(
      `${where}: tokenizer.attentionResolutions: no level has a grid of ${absent}: there are ${sides.join(', ')}`,
    );
}

/**
 * Refuse a number of steps that the sampler cannot take.
 * @param where the section that the settings are of.
 * @throws UserError naming the range.
 */
export function refuseSteps(
  { sampler, steps }: { readonly sampler: SamplerName; readonly steps: number },
  chain: { readonly times: number; readonly tokens: number },
  where: string,
): void {
  const { least, most } = stepRange(sampler, chain);
  if (steps >= least && steps <= most) return;
  const why = most < chain.times ? `${chain.tokens} tokens` : `diffusion.timesteps ${chain.times}`;
  throw new UserError(
    `${where}.steps ${steps} does not go with ${why}: the sampler ${sampler} takes ${least} to ${most}`,
  );
}
