/**
 * The posterior of mask-and-replace diffusion in closed form, as graph.
 *
 * For one token, with δ_j the indicator of its noisy code j (zero for every code when it is masked) and p over x_0:
 *
 *     w_k = p_k / (ᾱ_t δ_jk + β̄_t)                            masked: w_k = p_k
 *     p(x_{t−1} = k) = f_k (ᾱ_{t−1} w_k + β̄_{t−1} Σ w)         f_k = α_t δ_jk + β_t, masked: γ_t/γ̄_t
 *
 * so that both cases are one formula whose coefficients depend on t and on whether the token is masked. The mask's own
 * probability, γ̄_{t−1}/γ̄_t or 0, does not depend on p and cancels from every divergence.
 */

import { float32 } from '../base/ndarray.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { marginal, type Schedule } from './process/schedule.ts';

/** What the formula needs of x_t and t; computed once, used for the prediction and for the true codes. */
export interface NoisyTokens {
  /** ᾱ_t δ + β̄_t, [batch, tokens, codes]. */
  readonly likelihood: Tensor;
  /** f, [batch, tokens, codes]. */
  readonly factor: Tensor;
  /** ᾱ_{t−1} and β̄_{t−1}, [batch, 1, 1]. */
  readonly alphaBarBefore: Tensor;
  readonly betaBarBefore: Tensor;
  /** Whether a token is masked, boolean [batch, tokens]. */
  readonly masked: Tensor;
}

/**
 * The coefficients of the formula for noisy tokens.
 * @param tokens x_t, int32 [batch, tokens].
 * @param t int32 [batch], from 0.
 */
export function noisyTokens(schedule: Schedule, tokens: Tensor, t: Tensor): NoisyTokens {
  const batch = tokens.shape[0]!;
  const { codes, steps } = schedule;
  const column = (value: (t: number) => number) =>
    g.reshape(
      g.gather(
        g.constant(
          float32(
            Array.from({ length: steps }, (_, i) => value(i)),
            [steps],
          ),
        ),
        t,
      ),
      [batch, 1, 1],
    );
  const masked = g.equal(tokens, codes);
  const hidden = g.reshape(masked, [...tokens.shape, 1]);
  const here = g.oneHot(tokens, codes);
  const share = (maskedShare: Tensor | number, onCode: Tensor, elsewhere: Tensor) =>
    g.add(g.mul(here, onCode), g.where(hidden, maskedShare, elsewhere));
  return {
    likelihood: share(
      1,
      column((i) => marginal(schedule, i).alpha),
      column((i) => marginal(schedule, i).beta),
    ),
    factor: share(
      column((i) => schedule.gamma[i]! / schedule.gammaBar[i]!),
      column((i) => schedule.alpha[i]!),
      column((i) => schedule.beta[i]!),
    ),
    alphaBarBefore: column((i) => marginal(schedule, i - 1).alpha),
    betaBarBefore: column((i) => marginal(schedule, i - 1).beta),
    masked,
  };
}

/** p(x_{t−1} = k | x_t) for the codes k, [batch, tokens, codes], given p over x_0 of the same shape. */
export function posterior(noisy: NoisyTokens, p: Tensor): Tensor {
  const w = g.div(p, noisy.likelihood);
  const spread = g.mul(noisy.betaBarBefore, g.sum(w, -1, true));
  return g.mul(noisy.factor, g.add(g.mul(noisy.alphaBarBefore, w), spread));
}
