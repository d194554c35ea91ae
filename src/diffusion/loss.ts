/**
 * The training loss of VQ-Diffusion (2111.14822, eq. 9-12): the variational bound, an auxiliary term, importance
 * weights.
 */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { logSoftmax } from '../nn/layers.ts';
import { noisyTokens, posterior } from './posterior.ts';
import { LOG_ZERO } from './process/log-space.ts';
import type { Schedule } from './process/schedule.ts';

/** What the loss is computed from. */
export interface DiffusionLossInputs {
  /** Network output, [batch, tokens, codes]. */
  readonly logits: Tensor;
  /** Clean and noisy tokens, int32 [batch, tokens]. */
  readonly x0: Tensor;
  readonly xt: Tensor;
  /** int32 [batch], from 0. */
  readonly t: Tensor;
  /** The probability with which each t was drawn, [batch]. */
  readonly pt: Tensor;
}

/** The constants of the loss. */
export interface DiffusionLossOptions {
  /** λ_aux. */
  readonly auxiliaryWeight: number;
  /** Weights of masked tokens and of the others. */
  readonly maskWeights: readonly [number, number];
}

/** The loss, a scalar, with what else a step reports. */
export interface DiffusionLoss {
  /** Σ_batch L / (batch · tokens): what is minimised and reported. */
  readonly loss: Tensor;
  /**
   * Per image, [batch]: L, and the KL term alone (the decoder's negative log likelihood at t = 0), which the importance
   * sampler follows.
   */
  readonly bound: Tensor;
  readonly kl: Tensor;
  /** Mean of −log p_θ(x_0|x_t) over the masked tokens: how well hidden codes are guessed, in nats. For the log. */
  readonly crossEntropy: Tensor;
  /** How many masked tokens that is a mean of. */
  readonly masked: Tensor;
}

/** log p_θ(x_0), clamped to [−70, 0], from logits [batch, tokens, codes]. */
export const logPrediction = (logits: Tensor): Tensor => g.clamp(logSoftmax(logits), LOG_ZERO, 0);

/**
 * L = [ L_t + λ_aux (2 − t/T) KL(x_0 ‖ p_θ(x_0|x_t)) ] / p(t), with L_t = KL( q(x_{t−1}|x_t, x_0) ‖ p_θ(x_{t−1}|x_t) )
 * summed over tokens; at t = 0 both terms are −log p_θ(x_0|x_1).
 */
export function diffusionLoss(
  inputs: DiffusionLossInputs,
  schedule: Schedule,
  options: DiffusionLossOptions,
): DiffusionLoss {
  const { logits, x0, xt, t, pt } = inputs;
  const [batch, tokens] = x0.shape as readonly [number, number];
  const truth = g.oneHot(x0, schedule.codes);
  const logP = logPrediction(logits);
  const noisy = noisyTokens(schedule, xt, t);

  const logModel = logOf(posterior(noisy, g.exp(logP)));
  const exact = posterior(noisy, truth);
  const divergence = g.sum(g.mul(exact, g.sub(logOf(exact), logModel)), -1);
  const weight = g.where(noisy.masked, ...options.maskWeights);
  const weighted = (perToken: Tensor) => g.sum(g.mul(perToken, weight), 1);

  const first = g.equal(t, 0);
  const nll = g.neg(g.sum(g.mul(truth, logModel), [1, 2]));
  const kl = g.where(first, nll, weighted(divergence));
  const surprise = g.neg(g.sum(g.mul(truth, logP), -1));
  const auxiliary = g.where(first, nll, weighted(surprise));
  const auxiliaryScale = g.mul(g.sub(2, g.div(g.cast(t, 'float32'), schedule.steps)), options.auxiliaryWeight);
  const bound = g.div(g.add(kl, g.mul(auxiliaryScale, auxiliary)), pt);
  const hidden = g.cast(noisy.masked, 'float32');
  const masked = g.sum(hidden);
  const crossEntropy = g.div(g.sum(g.mul(surprise, hidden)), g.maximum(masked, 1));
  return { loss: g.div(g.sum(bound), batch * tokens), bound, kl, crossEntropy, masked };
}

/** log, clamped to [−70, 0]; a zero probability stays finite. */
const logOf = (p: Tensor): Tensor => g.clamp(g.log(g.maximum(p, 1e-37)), LOG_ZERO, 0);
