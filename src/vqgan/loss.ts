/** The loss of the tokenizer: L1 reconstruction and the divergence of the codes from uniform use. */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { decode, encode, type Tokenizer } from './model.ts';
import { codeLogits, decoderInput, gumbelSoftmax, latentRows, uniformDivergence } from './quantizer.ts';

export interface TokenizerLossOptions {
  readonly normGroups: number;
  readonly normalizeLatents: boolean;
  readonly klWeight: number;
  /** Straight-through instead of soft. */
  readonly hard: boolean;
}

export interface Reconstruction {
  /** What is minimised. */
  readonly loss: Tensor;
  /** [batch, 3, size, size]. */
  readonly image: Tensor;
}

/** mean |x − x̂|, with x̂ decoded from the latents themselves plus noise [batch, tokens, codeDim]: the tokenizer before it has codes. */
export function autoencoderLoss(
  p: Tokenizer<Tensor>,
  x: Tensor,
  noise: Tensor,
  options: Pick<TokenizerLossOptions, 'normGroups' | 'normalizeLatents'>,
): Reconstruction {
  const rows = latentRows(p, encode(p.encoder, x, options.normGroups), options.normalizeLatents);
  const image = decode(p.decoder, decoderInput(p, g.add(rows, noise)), options.normGroups);
  return { loss: absoluteError(x, image), image };
}

/**
 * mean |x − x̂| + w_kl KL for pictures [batch, 3, size, size] in [-1, 1], Gumbel noise [batch, tokens, codes] and a scalar temperature.
 * `index` is the noise-free choice of codes, int32 [batch, tokens], as encoding will make it.
 */
export function tokenizerLoss(
  p: Tokenizer<Tensor>,
  x: Tensor,
  gumbel: Tensor,
  temperature: Tensor,
  { normGroups, normalizeLatents, klWeight, hard }: TokenizerLossOptions,
): Reconstruction & { readonly index: Tensor } {
  const logits = codeLogits(p.quantize.proj, latentRows(p, encode(p.encoder, x, normGroups), normalizeLatents));
  const { weights } = gumbelSoftmax(logits, gumbel, temperature, hard);
  const image = decode(p.decoder, decoderInput(p, g.matmul(weights, p.quantize.embed.weight)), normGroups);
  const loss = g.add(absoluteError(x, image), g.mul(uniformDivergence(logits), klWeight));
  return { loss, image, index: g.argmax(logits, -1) };
}

const absoluteError = (x: Tensor, y: Tensor): Tensor => g.mean(g.abs(g.sub(x, y)));

/** Mean squared error, a scalar. */
export const squaredError = (x: Tensor, y: Tensor): Tensor => g.mean(g.square(g.sub(x, y)));
