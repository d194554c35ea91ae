/**
 * What the tokenizer learns from: reconstructions, and the loss made of pixels, the perceptual distance, the
 * discriminator and the code usage.
 */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { adaptiveWeight, norm } from './adversarial.ts';
import { decode, encode, type Tokenizer } from './model.ts';
import { codeLogits, decoderInput, gumbelSoftmax, latentRows, uniformDivergence } from './quantizer.ts';

/** What changes in the loss during a run. */
export interface TokenizerLossOptions {
  readonly normGroups: number;
  readonly normalizeLatents: boolean;
  /** A scalar tensor where it changes during the run. */
  readonly klWeight: g.Operand;
  /** Straight-through instead of soft. */
  readonly hard: boolean;
}

/** A picture that went through the tokenizer, and how far from uniform the usage of its codes is. */
export interface Reconstruction {
  /** [batch, 3, size, size]. */
  readonly image: Tensor;
  /** w_kl KL, a scalar; nothing where there are no codes. */
  readonly divergence?: Tensor;
}

/** x̂ decoded from the latents themselves plus noise [batch, tokens, codeDim]: the tokenizer before it has codes. */
export function autoencode(
  p: Tokenizer<Tensor>,
  x: Tensor,
  noise: Tensor,
  options: Pick<TokenizerLossOptions, 'normGroups' | 'normalizeLatents'>,
): Reconstruction {
  const rows = latentRows(p, encode(p.encoder, x, options.normGroups), options.normalizeLatents);
  return { image: decode(p.decoder, decoderInput(p, g.add(rows, noise)), options.normGroups) };
}

/**
 * x̂ decoded from codes, for pictures [batch, 3, size, size] in [-1, 1], Gumbel noise [batch, tokens, codes] and a
 * scalar temperature. `index` is the noise-free choice of codes, int32 [batch, tokens], as encoding will make it.
 */
export function reconstruct(
  p: Tokenizer<Tensor>,
  x: Tensor,
  gumbel: Tensor,
  temperature: Tensor,
  { normGroups, normalizeLatents, klWeight, hard }: TokenizerLossOptions,
): Required<Reconstruction> & { readonly index: Tensor } {
  const logits = codeLogits(p.quantize.proj, latentRows(p, encode(p.encoder, x, normGroups), normalizeLatents));
  const { weights } = gumbelSoftmax(logits, gumbel, temperature, hard);
  const image = decode(p.decoder, decoderInput(p, g.matmul(weights, p.quantize.embed.weight)), normGroups);
  return { image, divergence: g.mul(uniformDivergence(logits), klWeight), index: g.argmax(logits, -1) };
}

/** mean |x − x̂|, a scalar. */
export const absoluteError = (x: Tensor, y: Tensor): Tensor => g.mean(g.abs(g.sub(x, y)));

/** Mean squared error, a scalar. */
export const squaredError = (x: Tensor, y: Tensor): Tensor => g.mean(g.square(g.sub(x, y)));

/** L_nll + w_kl KL, or L_nll alone. `likelihood` is mean |x − x̂|, with λ_p mean LPIPS(x, x̂) where there is one. */
export const plainLoss = (likelihood: Tensor, { divergence }: Reconstruction): Tensor =>
  divergence ? g.add(likelihood, divergence) : likelihood;

/** What the tokenizer's loss against an active discriminator is made of. */
export interface AdversarialTerm {
  /** −mean D(x̂). */
  readonly adversarial: Tensor;
  /** Weight of the convolution whose output is the picture: where the gradients of both sides are compared. */
  readonly lastLayer: Tensor;
  /** λ_disc. */
  readonly weight: number;
}

/**
 * L_nll + λ_ad (−mean D(x̂)) + w_kl KL, and λ_ad (`adaptiveWeight`). Both sides meet at the picture, so that the way
 * back through the discriminator is walked once: their gradients there give the two norms, and weighted and added the
 * gradient of everything before.
 */
export function balancedLoss(
  likelihood: Tensor,
  reconstruction: Reconstruction,
  { adversarial, lastLayer, weight }: AdversarialTerm,
): { readonly loss: Tensor; readonly adaptive: Tensor } {
  const { image, divergence } = reconstruction;
  const [toLikelihood, toAdversarial] = [g.grad(likelihood, image), g.grad(adversarial, image)];
  const atLastLayer = (gradient: Tensor) => g.grad(g.sum(g.mul(image, g.stopGradient(gradient))), lastLayer);
  const adaptive = adaptiveWeight(norm(atLastLayer(toLikelihood)), norm(atLastLayer(toAdversarial)), weight);

  const total = plainLoss(g.add(likelihood, g.mul(adversarial, adaptive)), reconstruction);
  const toImage = g.add(toLikelihood, g.mul(toAdversarial, adaptive));
  const loss = g.withGradient(total, divergence ? [image, divergence] : [image], (gradient) => [
    g.mul(toImage, gradient),
    ...(divergence ? [gradient] : []),
  ]);
  return { loss, adaptive };
}
