/**
 * The programs of a tokenizer step that is computed in micro-batches. All terms of the reconstruction's loss are means
 * over pictures, whose gradients add up exactly. The discriminator is another matter: its batch normalisation and the
 * adaptive weight need the whole batch. It is small, though, beside encoder and decoder, so a process runs it on all
 * its pictures at once, and the gradient of its output at every pixel goes on through the decoder in micro-batches.
 */

import * as g from '../graph/index.ts';
import { globalNorm, optimized } from '../optim/adamw.ts';
import { addedUp, addGradients, GRADIENTS } from '../optim/micro-batches.ts';
import type { TokenizerRecipe } from '../recipe/schema.ts';
import { adaptiveWeight, norm } from './adversarial.ts';
import { plainLoss, squaredError } from './loss.ts';
import { trainedParameters } from './model.ts';
import type { PerceptualDistance } from './perceptual.ts';
import {
  type CodeUsage,
  codeUsageState,
  likelihoodOf,
  pictureInputs,
  reconstructed,
  type Step,
  updatedCodeUsage,
} from './program-parts.ts';
import { discriminatorState, discriminatorStep, stepBy } from './programs.ts';
import { codeShares } from './quantizer.ts';
import type { Variant } from './schedule.ts';

/** State paths of what is added up besides gradients: shares of codes, and both sides' gradients at the last layer. */
export const SHARES = 'now';
/** See `SHARES`. */
export const LAST_LAYER = 'lastLayer';

/** What a micro-batch is computed for. */
export interface MicroBatch {
  /** Its batch is that of one micro-batch. */
  readonly recipe: TokenizerRecipe;
  readonly variant: Variant;
  readonly perceptual: PerceptualDistance | undefined;
  /** Micro-batches in the whole batch. */
  readonly microBatches: number;
}

/** x̂ alone: `image` [batch, 3, size, size]. */
export function imageProgram({ recipe, variant, perceptual }: MicroBatch): g.Program {
  const inputs = { state: { params: trainedParameters(recipe) }, ...pictureInputs(recipe, variant) };
  return g.trace(inputs, ({ state, x, ...drawn }) => ({
    image: reconstructed(state.params, x, drawn, stepOf(recipe, variant, perceptual)).image,
  }));
}

/**
 * The discriminator's step on the whole batch, pictures `x` and reconstructions `image`: its loss `discriminator`, and
 * where it is active −mean D(x̂) as `adversarial` and the gradient of that, `toImage` [batch, 3, size, size]. Of
 * several ranks each has its share of the pictures; results are of the whole batch, `toImage` for the pictures of the
 * rank.
 */
export function discriminatorProgram(
  { imageSize, tokenizer: settings }: TokenizerRecipe,
  active: boolean,
  ranks = 1,
): g.Program {
  const pictures = g.f32(settings.batch / ranks, 3, imageSize, imageSize);
  const inputs = { state: { discriminator: discriminatorState(settings) }, x: pictures, image: pictures, lr: g.f32() };
  return g.trace(inputs, ({ state, x, image, lr }) => {
    const { adversarial, loss, next } = discriminatorStep(state.discriminator, x, image, lr, settings, ranks);
    const whole = g.meanOverRanks(adversarial, ranks);
    const feedback = active ? { adversarial: whole, toImage: g.grad(g.div(adversarial, ranks), image) } : {};
    return { state: { discriminator: next }, discriminator: loss, ...feedback };
  });
}

/**
 * Adds a micro-batch's gradients of L_nll and of −mean D(x̂) at the last layer to `keep` times what the state holds,
 * and gives the `adaptive` weight of the sums: λ_ad once all micro-batches are in.
 */
export function balanceProgram({ recipe, variant, perceptual, microBatches }: MicroBatch): g.Program {
  const state = { params: trainedParameters(recipe), [LAST_LAYER]: lastLayerOf(recipe) };
  const inputs = { state, ...pictureInputs(recipe, variant), toImage: pictureOf(recipe), keep: g.f32() };
  return g.trace(inputs, ({ state, x, toImage, keep, ...drawn }) => {
    const step = stepOf(recipe, variant, perceptual);
    const { image } = reconstructed(state.params, x, drawn, step);
    const { likelihood } = likelihoodOf(x, image, step.settings, step.distance);
    const { weight } = state.params.decoder.conv_out;
    const atLastLayer = (gradient: g.Tensor) => g.grad(g.sum(g.mul(image, g.stopGradient(gradient))), weight);
    const before = state[LAST_LAYER];
    const sums = {
      likelihood: addedUp(before.likelihood, keep, atLastLayer(g.grad(g.div(likelihood, microBatches), image))),
      adversarial: addedUp(before.adversarial, keep, atLastLayer(toImage)),
    };
    const { discriminatorWeight } = step.settings;
    const adaptive = adaptiveWeight(norm(sums.likelihood), norm(sums.adversarial), discriminatorWeight);
    return { state: { [LAST_LAYER]: sums }, adaptive };
  });
}

/** Both sides' gradients at the weight whose output is the picture. */
export function lastLayerOf(recipe: TokenizerRecipe) {
  const { weight } = trainedParameters(recipe).decoder.conv_out;
  return { likelihood: weight, adversarial: weight };
}

/**
 * Adds a micro-batch's share of the gradient, and of code usage, to `keep` times what the state holds; with the `last`
 * one the histories of the codes move on. Results: `loss` without the discriminator, the `norm` of the sum of gradients
 * so far, `squared`, `shares`, `perceptual`, and x̂ as `image` where a discriminator warms up on it. Where it is
 * active, its gradient `toImage` and its `adaptive` weight are fed.
 */
export function addingProgram({ recipe, variant, perceptual, microBatches }: MicroBatch): g.Program {
  const params = trainedParameters(recipe);
  const { codes } = recipe.tokenizer;
  const hasCodes = variant.phase !== 'autoencoder';
  const state = {
    params,
    [GRADIENTS]: params,
    ...codeUsageState(recipe.tokenizer, variant),
    ...(hasCodes && { [SHARES]: g.f32(codes) }),
  };
  const feedback = variant.discriminator === 'active' && { toImage: pictureOf(recipe), adaptive: g.f32() };
  const inputs = { state, ...pictureInputs(recipe, variant), keep: g.f32(), last: g.f32(), ...feedback };
  return g.trace(inputs, ({ state, x, keep, last, toImage, adaptive, ...drawn }) => {
    const step = stepOf(recipe, variant, perceptual);
    const reconstruction = reconstructed(state.params, x, drawn, step);
    const { image, index } = reconstruction;
    const { likelihood, perceptual: seen } = likelihoodOf(x, image, step.settings, step.distance);
    const loss = plainLoss(likelihood, reconstruction);
    const share = g.div(loss, microBatches);
    const total = toImage && adaptive ? g.add(share, g.mul(g.sum(g.mul(image, toImage)), adaptive)) : share;
    const gradients = addGradients(state[GRADIENTS], keep, g.grad(total, state.params));
    const used = index && usageWith(state, g.div(codeShares(index, codes), microBatches), keep, last);
    return {
      state: { [GRADIENTS]: gradients, ...used },
      loss,
      norm: globalNorm(gradients),
      squared: squaredError(x, image),
      ...(used && { shares: used.usage }),
      ...(seen && { perceptual: seen }),
      ...(variant.discriminator === 'warmup' && { image }),
    };
  });
}

/** Code usage with a micro-batch's share of it; its histories move when the whole batch is in. */
function usageWith(
  state: CodeUsage<g.Tensor> & { readonly [SHARES]?: g.Tensor },
  share: g.Tensor,
  keep: g.Tensor,
  last: g.Tensor,
) {
  const shares = addedUp(state[SHARES]!, keep, share);
  const { usage, idle } = updatedCodeUsage(state, shares);
  const moved = (after: g.Tensor, before: g.Tensor) => g.where(g.greater(last, 0), after, before);
  return { [SHARES]: shares, usage: moved(usage, state.usage!), ...(idle && { idle: moved(idle, state.idle!) }) };
}

/** Moves the histories of code usage by the shares that all ranks have added up, and gives `shares` as a step does. */
export function usageProgram({ tokenizer }: TokenizerRecipe, variant: Variant): g.Program {
  const state = { ...codeUsageState(tokenizer, variant), [SHARES]: g.f32(tokenizer.codes) };
  return g.trace({ state }, ({ state }) => {
    const next = updatedCodeUsage(state, state[SHARES]);
    return { state: { ...next }, shares: next.usage };
  });
}

/** Adam on the gradients that were added up. */
export function updateProgram(recipe: TokenizerRecipe): g.Program {
  const networks = optimized(trainedParameters(recipe));
  const inputs = { state: { ...networks, [GRADIENTS]: networks.params }, lr: g.f32() };
  return g.trace(inputs, ({ state: { params, adam, [GRADIENTS]: gradients }, lr }) => ({
    state: stepBy(params, gradients, adam, lr, recipe.tokenizer),
  }));
}

const pictureOf = ({ tokenizer, imageSize }: TokenizerRecipe) => g.f32(tokenizer.batch, 3, imageSize, imageSize);

const stepOf = (
  { tokenizer: settings }: TokenizerRecipe,
  variant: Variant,
  perceptual: PerceptualDistance | undefined,
): Step => ({ settings, variant, distance: variant.perceptual ? perceptual : undefined });
