/**
 * The reverse process in closed form on the host: p(x_s | x_t) = sum_{x_0} q(x_s | x_t, x_0) p_theta(x_0 | x_t) for any
 * s < t, in float64, and exact draws from it.
 */
import { UserError } from '../../base/errors.ts';
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
  const weights = token === codes ? revealWeights(step, predicted) : reviseWeights(step, token, predicted);
  for (let k = 0; k < codes; k++) result[k] = ((1 - masked) * weightOf(weights, predicted, k)) / weights.total;
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
  if (token !== codes) {
    const predicted = predict();
    return inverseCdf(reviseWeights(step, token, predicted), predicted, uniform);
  }
  const masked = stayMasked(step);
  if (uniform < masked) return codes;
  const predicted = predict();
  return inverseCdf(revealWeights(step, predicted), predicted, (uniform - masked) / (1 - masked));
}

/** p(x_s = mask | x_t = mask) = gammaBar_s / gammaBar_t. */
function stayMasked({ before, after }: ReverseStep): number {
  return before.gamma / after.gamma;
}

/** Weights in proportion to p(x_s = k | x_t), k a code: slope · p_k + offset, but for the code that x_t holds. */
interface Weights {
  readonly slope: number;
  readonly offset: number;
  /** The code that x_t holds and its weight; -1 where x_t is the mask. */
  readonly held: number;
  readonly heldWeight: number;
  readonly total: number;
}

const weightOf = ({ slope, offset, held, heldWeight }: Weights, predicted: ArrayLike<number>, k: number): number =>
  k === held ? heldWeight : slope * predicted[k]! + offset;

/** x_t = mask: p(x_s = k) is proportional to alphaBar_s p_k + betaBar_s. */
function revealWeights({ codes, before }: ReverseStep, predicted: ArrayLike<number>): Weights {
  const sum = checked(sumOf(predicted, 0, codes));
  const offset = before.beta * sum;
  return { slope: before.alpha, offset, held: -1, heldWeight: 0, total: before.alpha * sum + codes * offset };
}

/**
 * x_t = j: with w_k = p_k / (alphaBar_t [k = j] + betaBar_t) and S their sum,
 * p(x_s = k) is proportional to (alpha [k = j] + beta) (alphaBar_s w_k + betaBar_s S).
 */
function reviseWeights(step: ReverseStep, token: number, predicted: ArrayLike<number>): Weights {
  const { codes, before, after, between } = step;
  // Without replacement a visible code is the clean code, whatever the network predicts.
  if (after.beta === 0) return { slope: 0, offset: 0, held: token, heldWeight: 1, total: 1 };
  const others = (sumOf(predicted, 0, token) + sumOf(predicted, token + 1, codes)) / after.beta;
  const own = predicted[token]! / (after.alpha + after.beta);
  const floor = before.beta * checked(others + own);
  const [slope, offset] = [(between.beta * before.alpha) / after.beta, between.beta * floor];
  const heldWeight = (between.alpha + between.beta) * (before.alpha * own + floor);
  const total = heldWeight + between.beta * before.alpha * others + (codes - 1) * offset;
  return { slope, offset, held: token, heldWeight, total };
}

function sumOf(values: ArrayLike<number>, from: number, to: number): number {
  let sum = 0;
  for (let k = from; k < to; k++) sum += values[k]!;
  return sum;
}

function checked(sum: number): number {
  if (sum > 0 && sum < Infinity) return sum;
  throw new UserError(
    'The denoiser predicts no valid probabilities (NaN or all zero); go back to an earlier checkpoint',
  );
}

/** The first k whose cumulative weight exceeds `uniform` of the total; never one of weight zero. */
function inverseCdf(weights: Weights, predicted: ArrayLike<number>, uniform: number): number {
  const target = uniform * weights.total;
  let reached = 0;
  let last = 0;
  for (let k = 0; k < predicted.length; k++) {
    const w = weightOf(weights, predicted, k);
    if (w === 0) continue;
    reached += w;
    if (target < reached) return k;
    last = k;
  }
  return last;
}
