/** The programs of the tokenizer stage: a training step for each variant, the latents of pictures, and the codes they choose. */

import * as g from '../graph/index.ts';
import { type AdamState, adamw } from '../optim/adamw.ts';
import { gridSize, type TokenizerRecipe, type TokenizerSettings } from '../recipe.ts';
import { discriminatorLoss, generatorLoss } from './adversarial.ts';
import {
  type Discriminator,
  type DiscriminatorBuffers,
  discriminate,
  discriminatorBuffers,
  discriminatorParameters,
} from './discriminator.ts';
import {
  absoluteError,
  autoencode,
  balancedLoss,
  plainLoss,
  type Reconstruction,
  reconstruct,
  squaredError,
} from './loss.ts';
import { encode, type Tokenizer, tokenizerParameters } from './model.ts';
import type { PerceptualDistance } from './perceptual.ts';
import { codeLogits, codeShares, latentRows } from './quantizer.ts';
import type { Variant } from './schedule.ts';

/** What the moving average of code use keeps at each step: it looks back about 20 batches. */
const USAGE_DECAY = 0.95;

/** The discriminator with its optimiser, as it lies in the engine's state. */
interface Judge {
  readonly params: Discriminator<g.Tensor>;
  readonly adam: AdamState<g.Tensor>;
  readonly buffers: DiscriminatorBuffers<g.Tensor>;
}

interface Networks {
  readonly params: Tokenizer<g.Tensor>;
  readonly adam: AdamState<g.Tensor>;
  /** Where one is at work. */
  readonly discriminator?: Judge;
}

/**
 * One step of a variant: loss, backward pass and Adam of the tokenizer, and of the discriminator if there is one, as one graph; both
 * learn from the same reconstruction. Feeds: pictures `x` [batch, 3, size, size], learning rate `lr`, and the phase's noise, `noise`
 * [batch, tokens, codeDim] or `gumbel` [batch, tokens, codes] with a `temperature` and the `klWeight`. Results: `loss`, the mean
 * squared error `squared`; with codes `shares` [codes], the moving average of how often each is used; with a discriminator its loss
 * `discriminator` and the `adaptive` weight; with a perceptual distance, `perceptual`.
 */
export function trainingProgram(recipe: TokenizerRecipe, variant: Variant, perceptual?: PerceptualDistance): g.Program {
  const { imageSize, tokenizer: settings } = recipe;
  const { batch, codes, codeDim } = settings;
  const tokens = gridSize(recipe) ** 2;
  const networks = {
    ...optimized(tokenizerParameters(settings, imageSize)),
    ...(variant.adversary !== 'absent' && {
      discriminator: { ...optimized(discriminatorParameters(settings)), buffers: discriminatorBuffers(settings) },
    }),
  };
  const feeds = { x: g.f32(batch, 3, imageSize, imageSize), lr: g.f32() };
  const step: Step = { settings, variant, distance: variant.perceptual ? perceptual : undefined };

  if (variant.phase === 'autoencoder')
    return g.trace({ state: networks, ...feeds, noise: g.f32(batch, tokens, codeDim) }, ({ state, x, lr, noise }) => {
      const { next, ...results } = learn(step, state, x, lr, autoencode(state.params, x, noise, settings));
      return { state: next, ...results };
    });

  const use = { usage: g.f32(codes), ...(settings.reviveAfter > 0 && { idle: g.f32(codes) }) };
  const draw = { gumbel: g.f32(batch, tokens, codes), temperature: g.f32(), klWeight: g.f32() };
  return g.trace({ state: { ...networks, ...use }, ...feeds, ...draw }, ({ state, x, lr, ...drawn }) => {
    const options = { ...settings, klWeight: drawn.klWeight, hard: variant.phase === 'hard' };
    const reconstruction = reconstruct(state.params, x, drawn.gumbel, drawn.temperature, options);
    const now = codeShares(reconstruction.index, codes);
    const shares = g.add(g.mul(state.usage, USAGE_DECAY), g.mul(now, 1 - USAGE_DECAY));
    const idle = state.idle && { idle: g.where(g.greater(now, 0), 0, g.add(state.idle, 1)) };
    const { next, ...results } = learn(step, state, x, lr, reconstruction);
    return { state: { ...next, usage: shares, ...idle }, ...results, shares };
  });
}

/** What is the same for all steps of a program. */
interface Step {
  readonly settings: TokenizerSettings;
  readonly variant: Variant;
  readonly distance: PerceptualDistance | undefined;
}

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
  const perceptual = distance?.between(x, image);
  const error = absoluteError(x, image);
  const likelihood = perceptual ? g.add(error, g.mul(perceptual, settings.perceptualWeight)) : error;
  const judged = discriminator && judge(discriminator, x, image, lr, settings);
  const { loss, adaptive } =
    judged && variant.adversary === 'counting'
      ? balancedLoss(likelihood, reconstruction, {
          adversarial: judged.adversarial,
          lastLayer: params.decoder.conv_out.weight,
          weight: settings.discriminatorWeight,
        })
      : { loss: plainLoss(likelihood, reconstruction), adaptive: undefined };
  return {
    next: { ...descend(params, loss, adam, lr, settings), ...(judged && { discriminator: judged.next }) },
    loss,
    squared: squaredError(x, image),
    ...(perceptual && { perceptual }),
    ...(judged && { discriminator: judged.loss }),
    ...(adaptive && { adaptive }),
  };
}

/** The discriminator's step on pictures and their reconstructions, and what it thinks of the latter. */
function judge(
  { params, adam, buffers }: Judge,
  x: g.Tensor,
  image: g.Tensor,
  lr: g.Tensor,
  settings: TokenizerSettings,
) {
  const real = discriminate(params, buffers, x);
  const fake = discriminate(params, real.buffers, image);
  const loss = discriminatorLoss(settings.adversarialLoss, real.logits, fake.logits);
  return {
    adversarial: generatorLoss(fake.logits),
    loss,
    next: { ...descend(params, loss, adam, lr, settings), buffers: fake.buffers },
  };
}

/** Parameters with the state of their optimiser. */
const optimized = <P>(params: P) => ({ params, adam: { step: g.f32(), mean: params, square: params } });

function descend<P extends Tokenizer<g.Tensor> | Discriminator<g.Tensor>>(
  params: P,
  loss: g.Tensor,
  adam: AdamState<g.Tensor>,
  lr: g.Tensor,
  settings: TokenizerSettings,
) {
  const next = adamw(params, g.grad(loss, params), adam, lr, { ...settings, eps: 1e-8, weightDecay: 0 });
  return { params: next.params, adam: next.state };
}

/** The latents of pictures `x` as `rows` [batch, tokens, codeDim]. */
export function latentProgram({ imageSize, tokenizer: settings }: TokenizerRecipe): g.Program {
  const params = tokenizerParameters(settings, imageSize);
  const x = g.f32(settings.batch, 3, imageSize, imageSize);
  return g.trace({ state: { params }, x }, ({ state, x }) => ({ rows: latents(state.params, x, settings) }));
}

/** The latents of pictures `x` as `rows` [batch, tokens, codeDim], and the most likely code of each, `index` int32 [batch, tokens]. */
export function assignmentProgram({ imageSize, tokenizer: settings }: TokenizerRecipe): g.Program {
  const params = tokenizerParameters(settings, imageSize);
  const x = g.f32(settings.batch, 3, imageSize, imageSize);
  return g.trace({ state: { params }, x }, ({ state, x }) => {
    const rows = latents(state.params, x, settings);
    return { rows, index: g.argmax(codeLogits(state.params.quantize.proj, rows), -1) };
  });
}

const latents = (params: Tokenizer<g.Tensor>, x: g.Tensor, { normGroups, normalizeLatents }: TokenizerSettings) =>
  latentRows(params, encode(params.encoder, x, normGroups), normalizeLatents);
