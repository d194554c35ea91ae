/**
 * The programs of the tokenizer stage: a training step for each variant, the latents of pictures, and the codes they
 * choose.
 */

import type { Tree } from '../base/ndarray.ts';
import { mapTree } from '../base/tree.ts';
import * as g from '../graph/index.ts';
import { type AdamState, adamw, globalNorm, optimized } from '../optim/adamw.ts';
import type { TokenizerRecipe, TokenizerSettings } from '../recipe/schema.ts';
import { discriminatorLoss, generatorLoss } from './adversarial.ts';
import {
  type Discriminator,
  type DiscriminatorBuffers,
  discriminate,
  discriminatorBuffers,
  discriminatorParameters,
} from './discriminator.ts';
import { balancedLoss, plainLoss, type Reconstruction, squaredError } from './loss.ts';
import { encode, type Tokenizer, trainedParameters } from './model.ts';
import type { PerceptualDistance } from './perceptual.ts';
import {
  codeUsageState,
  likelihoodOf,
  pictureInputs,
  reconstructed,
  type Step,
  updatedCodeUsage,
} from './program-parts.ts';
import { codeLogits, codeShares, latentRows } from './quantizer.ts';
import type { Variant } from './schedule.ts';

/** The discriminator with its optimiser, as it lies in the engine's state. */
export interface DiscriminatorState {
  readonly params: Discriminator<g.Tensor>;
  readonly adam: AdamState<g.Tensor>;
  readonly buffers: DiscriminatorBuffers<g.Tensor>;
}

interface Networks {
  readonly params: Tokenizer<g.Tensor>;
  readonly adam: AdamState<g.Tensor>;
  /** Where one is at work. */
  readonly discriminator?: DiscriminatorState;
}

/**
 * One step of a variant: loss, backward pass and Adam of the tokenizer, and of the discriminator if there is one, as
 * one graph; both learn from the same reconstruction. Feeds: pictures `x` [batch, 3, size, size], learning rate `lr`,
 * and the phase's noise, `noise` [batch, tokens, codeDim] or `gumbel` [batch, tokens, codes] with a `temperature` and
 * the `klWeight`. Results: `loss`, the mean squared error `squared`; with codes `shares` [codes], the moving average of
 * how often each is used; with a discriminator its loss `discriminator` and the `adaptive` weight; with a perceptual
 * distance, `perceptual`; the tokenizer's gradient has the length `norm`.
 */
export function trainingProgram(recipe: TokenizerRecipe, variant: Variant, perceptual?: PerceptualDistance): g.Program {
  const { tokenizer: settings } = recipe;
  const networks = {
    ...optimized(trainedParameters(recipe)),
    ...(variant.discriminator !== 'off' && { discriminator: discriminatorState(settings) }),
  };
  const feeds = { ...pictureInputs(recipe, variant), lr: g.f32() };
  const step: Step = { settings, variant, distance: variant.perceptual ? perceptual : undefined };
  return g.trace(
    { state: { ...networks, ...codeUsageState(settings, variant) }, ...feeds },
    ({ state, x, lr, ...drawn }) => {
      const reconstruction = reconstructed(state.params, x, drawn, step);
      const used = reconstruction.index && updatedCodeUsage(state, codeShares(reconstruction.index, settings.codes));
      const { next, ...results } = learn(step, state, x, lr, reconstruction);
      return { state: { ...next, ...used }, ...results, ...(used && { shares: used.usage }) };
    },
  );
}

/** Parameters, optimiser and running statistics of the discriminator, as they lie in the state. */
export const discriminatorState = (settings: TokenizerSettings) => ({
  ...optimized(discriminatorParameters(settings)),
  buffers: discriminatorBuffers(settings),
});

/** Everything behind the reconstruction: the loss and the next state of the networks. */
function learn(
  { settings, variant, distance }: Step,
  networks: Networks,
  x: g.Tensor,
  lr: g.Tensor,
  reconstruction: Reconstruction,
) {
  const { params, adam, discriminator } = networks;
  const { image } = reconstruction;
  const { likelihood, perceptual } = likelihoodOf(x, image, settings, distance);
  const adversary = discriminator && discriminatorStep(discriminator, x, image, lr, settings);
  const { loss, adaptive } =
    adversary && variant.discriminator === 'active'
      ? balancedLoss(likelihood, reconstruction, {
          adversarial: adversary.adversarial,
          lastLayer: params.decoder.conv_out.weight,
          weight: settings.discriminatorWeight,
        })
      : { loss: plainLoss(likelihood, reconstruction), adaptive: undefined };
  const gradients = g.grad(loss, params);
  return {
    next: { ...stepBy(params, gradients, adam, lr, settings), ...(adversary && { discriminator: adversary.next }) },
    loss,
    norm: globalNorm(gradients),
    squared: squaredError(x, image),
    ...(perceptual && { perceptual }),
    ...(adversary && { discriminator: adversary.loss }),
    ...(adaptive && { adaptive }),
  };
}

/**
 * The discriminator's step on pictures and their reconstructions, and the tokenizer's adversarial loss, −mean D(x̂).
 * Over several `ranks` pictures are a rank's share of the batch and so is `adversarial`; `loss` and step are of the
 * batch.
 */
export function discriminatorStep(
  { params, adam, buffers }: DiscriminatorState,
  x: g.Tensor,
  image: g.Tensor,
  lr: g.Tensor,
  settings: TokenizerSettings,
  ranks = 1,
) {
  const real = discriminate(params, buffers, x, ranks);
  const fake = discriminate(params, real.buffers, image, ranks);
  const loss = discriminatorLoss(settings.adversarialLoss, real.logits, fake.logits);
  const adversarial = generatorLoss(fake.logits);
  const gradients = meansOverRanks(g.grad(loss, params), ranks);
  return {
    adversarial,
    loss: g.meanOverRanks(loss, ranks),
    next: { ...stepBy(params, gradients, adam, lr, settings), buffers: fake.buffers },
  };
}

/** The mean over the ranks of each tensor. */
function meansOverRanks<T extends Tree<g.Tensor>>(gradients: T, ranks: number): T;
function meansOverRanks(gradients: Tree<g.Tensor>, ranks: number): Tree<g.Tensor> {
  return mapTree(gradients, (gradient) => g.meanOverRanks(gradient, ranks));
}

/** Parameters and Adam's state after a step along `gradients`. */
export function stepBy<P extends Tokenizer<g.Tensor> | Discriminator<g.Tensor>>(
  params: P,
  gradients: P,
  adam: AdamState<g.Tensor>,
  lr: g.Tensor,
  settings: TokenizerSettings,
) {
  const next = adamw(params, gradients, adam, lr, { ...settings, eps: 1e-8, weightDecay: 0 });
  return { params: next.params, adam: next.state };
}

/** The latents of pictures `x` as `rows` [batch, tokens, codeDim]. */
export function latentProgram(recipe: TokenizerRecipe): g.Program {
  const { imageSize, tokenizer: settings } = recipe;
  const params = trainedParameters(recipe);
  const x = g.f32(settings.batch, 3, imageSize, imageSize);
  return g.trace({ state: { params }, x }, ({ state, x }) => ({ rows: latents(state.params, x, settings) }));
}

/**
 * The latents of pictures `x` as `rows` [batch, tokens, codeDim], and the most likely code of each, `index` int32
 * [batch, tokens].
 */
export function assignmentProgram(recipe: TokenizerRecipe): g.Program {
  const { imageSize, tokenizer: settings } = recipe;
  const params = trainedParameters(recipe);
  const x = g.f32(settings.batch, 3, imageSize, imageSize);
  return g.trace({ state: { params }, x }, ({ state, x }) => {
    const rows = latents(state.params, x, settings);
    return { rows, index: g.argmax(codeLogits(state.params.quantize.proj, rows), -1) };
  });
}

const latents = (params: Tokenizer<g.Tensor>, x: g.Tensor, { normGroups, normalizeLatents }: TokenizerSettings) =>
  latentRows(params, encode(params.encoder, x, normGroups), normalizeLatents);
