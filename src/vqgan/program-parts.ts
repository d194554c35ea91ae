/** What every program of the tokenizer's training is made of: its inputs, reconstruction, likelihood and code usage. */

import * as g from '../graph/index.ts';
import { gridSize, type TokenizerRecipe, type TokenizerSettings } from '../recipe/schema.ts';
import { absoluteError, autoencode, type Reconstruction, reconstruct } from './loss.ts';
import type { Tokenizer } from './model.ts';
import type { PerceptualDistance } from './perceptual.ts';
import type { Variant } from './schedule.ts';

/** What the moving average of code usage keeps at each step: it looks back about 20 batches. */
const USAGE_DECAY = 0.95;

/** What is the same for all steps of a program. */
export interface Step {
  readonly settings: TokenizerSettings;
  readonly variant: Variant;
  readonly distance: PerceptualDistance | undefined;
}

/** What the state holds of the usage of codes, where there are any. */
export const codeUsageState = (
  { codes, reviveAfter }: TokenizerSettings,
  { phase }: Pick<Variant, 'phase'>,
): CodeUsage<g.Spec> =>
  phase === 'autoencoder' ? {} : { usage: g.f32(codes), ...(reviveAfter > 0 && { idle: g.f32(codes) }) };

/** The moving average of how often each code is used, and for how many steps it was not, both [codes]. */
export interface CodeUsage<T> {
  readonly usage?: T;
  readonly idle?: T;
}

/** Pictures `x`, and the noise of the phase. */
export function pictureInputs(recipe: TokenizerRecipe, { phase }: Pick<Variant, 'phase'>): PictureInputs<g.Spec> {
  const { imageSize, tokenizer } = recipe;
  const { batch, codes, codeDim } = tokenizer;
  const tokens = gridSize(recipe) ** 2;
  return {
    x: g.f32(batch, 3, imageSize, imageSize),
    ...(phase === 'autoencoder'
      ? { noise: g.f32(batch, tokens, codeDim) }
      : { gumbel: g.f32(batch, tokens, codes), temperature: g.f32(), klWeight: g.f32() }),
  };
}

/** Noise of one phase or the other, with what goes with it. */
interface Drawn<T> {
  /** [batch, tokens, codeDim]. */
  readonly noise?: T;
  /** [batch, tokens, codes]. */
  readonly gumbel?: T;
  readonly temperature?: T;
  readonly klWeight?: T;
}

interface PictureInputs<T> extends Drawn<T> {
  /** [batch, 3, size, size] in [-1, 1]. */
  readonly x: T;
}

/** The pictures as the network gives them back in this phase; `index` where it has codes. */
export function reconstructed(
  params: Tokenizer<g.Tensor>,
  x: g.Tensor,
  drawn: Drawn<g.Tensor>,
  { settings, variant }: Pick<Step, 'settings' | 'variant'>,
): Reconstruction & { readonly index?: g.Tensor } {
  if (variant.phase === 'autoencoder') return autoencode(params, x, drawn.noise!, settings);
  const options = { ...settings, klWeight: drawn.klWeight!, hard: variant.phase === 'hard' };
  return reconstruct(params, x, drawn.gumbel!, drawn.temperature!, options);
}

/** The histories of code usage after a batch that chose codes in shares `now` [codes]. */
export function updatedCodeUsage(
  { usage, idle }: CodeUsage<g.Tensor>,
  now: g.Tensor,
): CodeUsage<g.Tensor> & { readonly usage: g.Tensor } {
  return {
    usage: g.add(g.mul(usage!, USAGE_DECAY), g.mul(now, 1 - USAGE_DECAY)),
    ...(idle && { idle: g.where(g.greater(now, 0), 0, g.add(idle, 1)) }),
  };
}

/** L_nll: mean |x − x̂|, with λ_p times the mean perceptual distance where there is one. */
export function likelihoodOf(
  x: g.Tensor,
  image: g.Tensor,
  settings: TokenizerSettings,
  distance: PerceptualDistance | undefined,
): { readonly likelihood: g.Tensor; readonly perceptual: g.Tensor | undefined } {
  const perceptual = distance?.between(x, image);
  const error = absoluteError(x, image);
  return {
    likelihood: perceptual ? g.add(error, g.mul(perceptual, settings.perceptualWeight)) : error,
    perceptual,
  };
}
