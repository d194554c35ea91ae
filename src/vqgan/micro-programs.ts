/**
 * The programs of a tokenizer step that is computed in micro-batches. All terms of the reconstruction's loss are means over pictures,
 * whose gradients add up exactly. The discriminator is another matter: its batch normalisation and the adaptive weight want the
 * whole batch. It is small, though, beside encoder and decoder, so it is given the whole batch at once, and what it answers, the
 * pull on every pixel, is carried on in parts.
 */

import * as g from '../graph/index.ts';
import { optimized } from '../optim/adamw.ts';
import { addedUp, addGradients, GRADIENTS } from '../optim/micro-batches.ts';
import type { TokenizerRecipe } from '../recipe/schema.ts';
import { adaptiveWeight, norm } from './adversarial.ts';
import { plainLoss, squaredError } from './loss.ts';
import { heldParameters } from './model.ts';
import { likelihoodOf, pictureInputs, reconstructed, type Step, useOfCodes, useState } from './parts.ts';
import type { PerceptualDistance } from './perceptual.ts';
import { judge, judgeState, stepBy } from './programs.ts';
import { codeShares } from './quantizer.ts';
import type { Variant } from './schedule.ts';

/** State paths of what is added up besides gradients: shares of codes, and both sides' gradients at the last layer. */
export const NOW = 'now';
export const LAST_LAYER = 'lastLayer';

/** A micro-batch's recipe and variant, the distance, and in how many parts the batch is computed. */
export interface Part {
  /** Its batch is that of one part. */
  readonly recipe: TokenizerRecipe;
  readonly variant: Variant;
  readonly perceptual: PerceptualDistance | undefined;
  readonly parts: number;
}

/** x̂ alone: `image` [batch, 3, size, size]. */
export function imageProgram({ recipe, variant, perceptual }: Part): g.Program {
  const inputs = { state: { params: heldParameters(recipe) }, ...pictureInputs(recipe, variant) };
  return g.trace(inputs, ({ state, x, ...drawn }) => ({
    image: reconstructed(state.params, x, drawn, stepOf(recipe, variant, perceptual)).image,
  }));
}

/**
 * The discriminator's step on the whole batch, pictures `x` and reconstructions `image`: its loss `discriminator`, and if its verdict
 * counts −mean D(x̂) as `adversarial` and its gradient `pull` at the pictures, [batch, 3, size, size].
 */
export function judgeProgram({ imageSize, tokenizer: settings }: TokenizerRecipe, counts: boolean): g.Program {
  const pictures = g.f32(settings.batch, 3, imageSize, imageSize);
  const inputs = { state: { discriminator: judgeState(settings) }, x: pictures, image: pictures, lr: g.f32() };
  return g.trace(inputs, ({ state, x, image, lr }) => {
    const { adversarial, loss, next } = judge(state.discriminator, x, image, lr, settings);
    const verdict = counts ? { adversarial, pull: g.grad(adversarial, image) } : {};
    return { state: { discriminator: next }, discriminator: loss, ...verdict };
  });
}

/**
 * Adds a part's gradients of L_nll and of −mean D(x̂) at the last layer to `keep` times what the state holds, and gives the
 * `adaptive` weight of the sums: λ_ad once all parts are in.
 */
export function balanceProgram({ recipe, variant, perceptual, parts }: Part): g.Program {
  const state = { params: heldParameters(recipe), [LAST_LAYER]: lastLayerOf(recipe) };
  const inputs = { state, ...pictureInputs(recipe, variant), pull: pictureOf(recipe), keep: g.f32() };
  return g.trace(inputs, ({ state, x, pull, keep, ...drawn }) => {
    const step = stepOf(recipe, variant, perceptual);
    const { image } = reconstructed(state.params, x, drawn, step);
    const { likelihood } = likelihoodOf(x, image, step.settings, step.distance);
    const { weight } = state.params.decoder.conv_out;
    const atLastLayer = (gradient: g.Tensor) => g.grad(g.sum(g.mul(image, g.stopGradient(gradient))), weight);
    const before = state[LAST_LAYER];
    const sums = {
      likelihood: addedUp(before.likelihood, keep, atLastLayer(g.grad(g.div(likelihood, parts), image))),
      adversarial: addedUp(before.adversarial, keep, atLastLayer(pull)),
    };
    const { discriminatorWeight } = step.settings;
    const adaptive = adaptiveWeight(norm(sums.likelihood), norm(sums.adversarial), discriminatorWeight);
    return { state: { [LAST_LAYER]: sums }, adaptive };
  });
}

/** Both sides' gradients at the weight whose output is the picture. */
export function lastLayerOf(recipe: TokenizerRecipe) {
  const { weight } = heldParameters(recipe).decoder.conv_out;
  return { likelihood: weight, adversarial: weight };
}

/**
 * Adds a part's share of the gradient, and of the use of codes, to `keep` times what the state holds; with the `last` part the
 * histories of the codes move on. Results: `loss` without the discriminator, `squared`, `shares`, `perceptual`, and x̂ as `image`
 * where a discriminator learns from it. Where its verdict counts, its `pull` is fed, and the `adaptive` weight of it.
 */
export function addingProgram({ recipe, variant, perceptual, parts }: Part): g.Program {
  const params = heldParameters(recipe);
  const { codes } = recipe.tokenizer;
  const hasCodes = variant.phase !== 'autoencoder';
  const state = {
    params,
    [GRADIENTS]: params,
    ...useState(recipe.tokenizer, variant),
    ...(hasCodes && { [NOW]: g.f32(codes) }),
  };
  const verdict = variant.adversary === 'counting' && { pull: pictureOf(recipe), adaptive: g.f32() };
  const inputs = { state, ...pictureInputs(recipe, variant), keep: g.f32(), last: g.f32(), ...verdict };
  return g.trace(inputs, ({ state, x, keep, last, pull, adaptive, ...drawn }) => {
    const step = stepOf(recipe, variant, perceptual);
    const reconstruction = reconstructed(state.params, x, drawn, step);
    const { image, index } = reconstruction;
    const { likelihood, perceptual: seen } = likelihoodOf(x, image, step.settings, step.distance);
    const loss = plainLoss(likelihood, reconstruction);
    const share = g.div(loss, parts);
    const pulled = pull && adaptive ? g.add(share, g.mul(g.sum(g.mul(image, pull)), adaptive)) : share;
    const gradients = addGradients(state[GRADIENTS], keep, g.grad(pulled, state.params));
    const used = index && usedWith(state, g.div(codeShares(index, codes), parts), keep, last);
    return {
      state: { [GRADIENTS]: gradients, ...used },
      loss,
      squared: squaredError(x, image),
      ...(used && { shares: used.usage }),
      ...(seen && { perceptual: seen }),
      ...(variant.adversary === 'learning' && { image }),
    };
  });
}

/** The use of codes with a part's share of it; its histories move when the whole batch is in. */
function usedWith(
  state: Parameters<typeof useOfCodes>[0] & { readonly [NOW]?: g.Tensor },
  share: g.Tensor,
  keep: g.Tensor,
  last: g.Tensor,
) {
  const now = addedUp(state[NOW]!, keep, share);
  const { usage, idle } = useOfCodes(state, now);
  const moved = (after: g.Tensor, before: g.Tensor) => g.where(g.greater(last, 0), after, before);
  return { [NOW]: now, usage: moved(usage, state.usage!), ...(idle && { idle: moved(idle, state.idle!) }) };
}

/** Adam on the gradients that were added up. */
export function updateProgram(recipe: TokenizerRecipe): g.Program {
  const networks = optimized(heldParameters(recipe));
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
