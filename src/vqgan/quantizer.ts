/**
 * The Gumbel-softmax quantizer (Jang et al., 1611.01144): latents to logits over the codes, a relaxed draw, and the way
 * back.
 */

import { int32, sizeOf } from '../base/ndarray.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { type Conv, conv } from '../nn/layers.ts';
import type { Tokenizer } from './model.ts';

type Parameters = Tokenizer<Tensor>;

/** Latents of the encoder [batch, latentChannels, h, w] as rows [batch, tokens, codeDim], tokens in row-major order. */
export function latentRows({ quant_conv }: Pick<Parameters, 'quant_conv'>, h: Tensor, normalized: boolean): Tensor {
  const z = conv(quant_conv, h);
  const [batch, dim] = z.shape as readonly [number, number];
  const rows = g.transpose(g.reshape(z, [batch, dim, -1]), [0, 2, 1]);
  return normalized ? g.standardize(rows, 1e-6) : rows;
}

/**
 * The inverse of `latentRows`, through post_quant_conv: rows [batch, tokens, codeDim] of a square grid to
 * [batch, latentChannels, h, w].
 */
export function decoderInput({ post_quant_conv }: Pick<Parameters, 'post_quant_conv'>, rows: Tensor): Tensor {
  const [batch, tokens, dim] = rows.shape as readonly [number, number, number];
  const side = Math.sqrt(tokens);
  return conv(post_quant_conv, g.reshape(g.transpose(rows, [0, 2, 1]), [batch, dim, side, side]));
}

/** Logits over the codes, [batch, tokens, codes]. */
export function codeLogits({ weight, bias }: Conv<Tensor>, rows: Tensor): Tensor {
  const [codes, dim] = weight.shape as readonly [number, number];
  return g.add(g.matmul(rows, g.transpose(g.reshape(weight, [codes, dim]), [1, 0])), bias);
}

/** A draw of codes, relaxed and as an index. */
export interface Choice {
  /** How the quantized latents are mixed from the codes: [batch, tokens, codes], each row summing to 1. */
  readonly weights: Tensor;
  /** The code that was drawn, int32 [batch, tokens]. */
  readonly index: Tensor;
}

/**
 * y = softmax((logits + gumbel)/τ), a relaxed draw from softmax(logits); `temperature` is a scalar. With `hard`,
 * straight-through: the forward value is the one-hot of arg max y, the gradient that of y.
 */
export function gumbelSoftmax(logits: Tensor, gumbel: Tensor, temperature: Tensor, hard: boolean): Choice {
  const soft = g.softmax(g.div(g.add(logits, gumbel), temperature));
  const index = g.argmax(soft, -1);
  if (!hard) return { weights: soft, index };
  const weights = g.withGradient(g.oneHot(index, logits.shape.at(-1)!), [soft], (gradient) => [gradient]);
  return { weights, index };
}

/**
 * Mean over positions of KL(softmax(logits) ‖ uniform), which keeps the codes in use: a scalar, 0 to log K. It is what
 * the paper's program computes as Σ q log(q K + 1e-10), up to that 1e-10: with q_k = exp(l_k − log Σ exp l), KL = Σ q l
 * − log Σ exp l + log K.
 */
export function uniformDivergence(logits: Tensor): Tensor {
  const q = g.softmax(logits);
  const expected = g.sum(g.mul(q, logits), -1, true);
  // log Σ exp l is l − log q of any code; the likeliest has a q to take the logarithm of.
  const logSum = g.sub(g.max(logits, -1, true), g.log(g.max(q, -1, true)));
  const divergence = g.add(g.mean(g.sub(expected, logSum)), Math.log(logits.shape.at(-1)!));
  return g.withGradient(divergence, [logits], (gradient) => [
    g.mul(g.mul(q, g.div(gradient, sizeOf(expected.shape))), g.sub(logits, expected)),
  ]);
}

/** Share of each code among drawn indices: int32 [batch, tokens] to [codes], summing to 1. */
export function codeShares(index: Tensor, codes: number): Tensor {
  // Counted in a table of rows and columns, for which two short one-hots are enough.
  const width = Math.ceil(Math.sqrt(codes));
  const flat = g.reshape(index, [-1]);
  const part = (of: (code: number) => number, classes: number) => {
    const table = int32(
      Array.from({ length: codes }, (_, code) => of(code)),
      [codes],
    );
    return g.oneHot(g.gather(g.constant(table), flat), classes);
  };
  const rows = part((code) => Math.floor(code / width), Math.ceil(codes / width));
  const columns = part((code) => code % width, width);
  const counts = g.reshape(g.matmul(g.transpose(rows, [1, 0]), columns), [-1]);
  return g.div(g.slice(counts, 0, 0, codes), flat.shape[0]!);
}
