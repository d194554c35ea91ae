/**
 * The losses of discriminator and tokenizer against each other, and the weight of the tokenizer's (Esser et al.,
 * 2012.09841).
 */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';

/** The losses that a discriminator can have. */
export type AdversarialLoss = 'hinge' | 'vanilla';

/**
 * The discriminator's loss from its logits of real and of reconstructed pictures, any shape: a scalar.
 * hinge: ½ mean relu(1 − D(x)) + ½ mean relu(1 + D(x̂)); vanilla: ½ mean softplus(−D(x)) + ½ mean softplus(D(x̂)).
 */
export function discriminatorLoss(kind: AdversarialLoss, real: Tensor, fake: Tensor): Tensor {
  const penalty = kind === 'hinge' ? (x: Tensor) => relu(g.add(x, 1)) : softplus;
  return g.mul(g.add(g.mean(penalty(g.neg(real))), g.mean(penalty(fake))), 0.5);
}

/** The generator's loss: −mean D(x̂), whichever loss the discriminator has. */
export const generatorLoss = (fake: Tensor): Tensor => g.neg(g.mean(fake));

/** Largest ratio of the two gradients. */
const MAX_RATIO = 1e4;

/**
 * λ_ad = clamp(‖∂L_nll/∂W‖ / (‖∂L_adv/∂W‖ + 1e-4), 0, 1e4) · λ_disc from the norms of both gradients at the last
 * layer's weight W: both gradients are equally large there, but for λ_disc. A scalar without gradient.
 */
export function adaptiveWeight(reconstructionNorm: Tensor, adversarialNorm: Tensor, weight: number): Tensor {
  const ratio = g.div(reconstructionNorm, g.add(adversarialNorm, 1e-4));
  return g.stopGradient(g.mul(g.clamp(ratio, 0, MAX_RATIO), weight));
}

/** `adaptiveWeight` of numbers on the host. */
export const adaptiveWeightOf = (reconstructionNorm: number, adversarialNorm: number, weight: number): number =>
  Math.min(MAX_RATIO, reconstructionNorm / (adversarialNorm + 1e-4)) * weight;

/** ‖x‖ over all elements. */
export const norm = (x: Tensor): Tensor => g.sqrt(g.sum(g.square(x)));

const relu = (x: Tensor): Tensor => g.maximum(x, 0);

/** log(1 + eˣ), without overflow. */
const softplus = (x: Tensor): Tensor => g.add(relu(x), g.log(g.add(g.exp(g.neg(g.abs(x))), 1)));
