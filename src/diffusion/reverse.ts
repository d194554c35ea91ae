/**
 * The reverse process in closed form on the host: p(x_s | x_t) = sum_{x_0} q(x_s | x_t, x_0) p_theta(x_0 | x_t) for any
 * s < t, in float64, and exact draws from it.
 */
import { UserError } from '../errors.ts';
import { type Coefficients, marginal, type Schedule, transition } from './schedule.ts';

/** The coefficients of one reverse step from time t to any earlier time s; one-step or strided makes no difference. */
export interface ReverseStep {
  /** K; also the index of the mask token. */
  readonly codes: number;
  /** q(x_s | x_0). */
  readonly before: Coefficients;
  /** q(x_t | x_0). */
  readonly after: Coefficients;
  /** q(x_t | x_s). */
  readonly between: Coefficients;
}

/**
 * Prepares the step from x_t to x_s, `-1 <= s < t <= T - 1`. The last step of a chain goes to s = -1, the clean state.
 */
export function reverseStep(schedule: Schedule, s: number, t: number): ReverseStep {
  return {
    codes: schedule.codes,
    before: marginal(schedule, s),
    after: marginal(schedule, t),
    between: transition(schedule, s, t),
  };
}

/**
 * p(x_s | x_t) over K codes and the mask, `[K + 1]`.
 *
 * @param token x_t, in 0 .. K.
 * @param predicted p_theta(x_0 | x_t), `[K]`; need not sum to one (truncated predictions do not): it is normalised
 * here.
 */
export function reverseProbabilities(step: ReverseStep, token: number, predicted: ArrayLike<number>): Float64Array {
  const { codes } = step;
  const result = new Float64Array(codes + 1);
  const masked = token === codes ? stayMasked(step) : 0;
  const weight = token === codes ? revealWeight(step, predicted) : reviseWeight(step, token, predicted);
  const total = sumOf(codes, weight);
  for (let k = 0; k < codes; k++) result[k] = ((1 - masked) * weight(k)) / total;
  result[codes] = masked;
  return result;
}

/**
 * Draws x_s from p(x_s | x_t) by inverse CDF. Whether a masked token stays masked does not depend on the prediction, so
 * it is decided first, and `predict` is called only for tokens that are revealed or already hold a code.
 *
 * @param uniform in [0, 1), decides everything: what is left of it after the mask decision picks the code.
 * @param predict p_theta(x_0 | x_t), `[K]`, not necessarily normalised.
 * @throws UserError when the prediction is not a distribution (a model that diverged).
 */
export function drawReverse(
  step: ReverseStep,
  token: number,
  uniform: number,
  predict: () => ArrayLike<number>,
): number {
  const { codes } = step;
  if (token !== codes) return inverseCdf(codes, reviseWeight(step, token, predict()), uniform);
  const masked = stayMasked(step);
  if (uniform < masked) return codes;
  return inverseCdf(codes, revealWeight(step, predict()), (uniform - masked) / (1 - masked));
}

/** p(x_s = mask | x_t = mask) = gammaBar_s / gammaBar_t. */
function stayMasked({ before, after }: ReverseStep): number {
  return before.gamma / after.gamma;
}

/** x_t = mask: p(x_s = k) is proportional to alphaBar_s p_k + betaBar_s. */
function revealWeight({ codes, before }: ReverseStep, predicted: ArrayLike<number>): (k: number) => number {
  const floor = before.beta * sumOf(codes, (k) => predicted[k]!);
  return (k) => before.alpha * predicted[k]! + floor;
}

/**
 * x_t = j: with w_k = p_k / (alphaBar_t [k = j] + betaBar_t) and S their sum,
 * p(x_s = k) is proportional to (alpha [k = j] + beta) (alphaBar_s w_k + betaBar_s S).
 */
function reviseWeight(step: ReverseStep, token: number, predicted: ArrayLike<number>): (k: number) => number {
  const { codes, before, after, between } = step;
  // Without replacement a visible code is the clean code, whatever the network thinks.
  if (after.beta === 0) return (k) => (k === token ? 1 : 0);
  const w = (k: number) => predicted[k]! / (k === token ? after.alpha + after.beta : after.beta);
  const floor = before.beta * sumOf(codes, w);
  return (k) => (k === token ? between.alpha + between.beta : between.beta) * (before.alpha * w(k) + floor);
}

function sumOf(count: number, weight: (k: number) => number): number {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += weight(k);
  if (sum > 0 && sum < Infinity) return sum;
  throw new UserError(
    'the denoiser predicts no valid probabilities (NaN or all zero); go back to an earlier checkpoint',
  );
}

/** The first k whose cumulative weight exceeds `uniform` of the total; never one of weight zero. */
function inverseCdf(count: number, weight: (k: number) => number, uniform: number): number {
  const target = uniform * sumOf(count, weight);
  let reached = 0;
  let last = 0;
  for (let k = 0; k < count; k++) {
    const w = weight(k);
    if (w === 0) continue;
    reached += w;
    if (target < reached) return k;
    last = k;
  }
  return last;
}
