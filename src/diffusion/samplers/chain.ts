/** The walk from noise to clean tokens that ancestral samplers share; they differ in how a step is drawn. */
import { UserError } from '../../base/errors.ts';
import { type ReverseStep, reverseStep } from '../process/reverse.ts';
import { truncateProbabilities } from '../process/truncation.ts';
import type { Denoiser, SamplerOptions } from './sampler.ts';

/** What a rule needs to draw x_s from x_t. */
export interface StepContext {
  /** Counts reverse steps from 0. */
  readonly index: number;
  /** Steps of the whole chain. */
  readonly steps: number;
  readonly step: ReverseStep;
  /** x_t, `[batch, tokens]`. */
  readonly tokens: Int32Array;
  /**
   * p_theta(x_0 | x_t) of one position in 0 .. batch * tokens - 1, truncated but not renormalised, `[K]`.
   * The next call overwrites the array; positions that are not read cost nothing.
   */
  readonly predict: (position: number) => Float64Array;
  /** The largest of these probabilities, which no truncation takes away. Much cheaper than all of them. */
  readonly largest: (position: number) => number;
}

/** Draws x_s, `[batch, tokens]`. */
export type DrawRule = (context: StepContext) => Int32Array<ArrayBuffer>;

/** One step of a chain: the network gets `time`, then every token is drawn from `from` to the earlier `to`. */
/** A chain that is not the default one. */
export interface ChainStep {
  readonly time: number;
  readonly from: number;
  readonly to: number;
}

export interface Chain {
  /** x at t = T - 1, `[batch, tokens]`; all masks by default. */
  readonly start?: Int32Array<ArrayBuffer>;
  /** `options.steps` exact steps by default. */
  readonly plan?: readonly ChainStep[];
}

/**
 * Draws from the start of a chain down to x_0, step by step of its plan.
 *
 * @throws UserError for an impossible number of steps; rejects with the signal's reason when aborted.
 */
export async function reverseChain(
  denoise: Denoiser,
  options: SamplerOptions,
  draw: DrawRule,
  chain: Chain = {},
): Promise<Int32Array<ArrayBuffer>> {
  const { schedule, signal, batch } = options;
  if (options.noise.samples.length !== batch) {
    throw new RangeError(`${options.noise.samples.length} sample indices for a batch of ${batch}`);
  }
  const plan = chain.plan ?? exactPlan(schedule.steps, options.steps);
  let tokens = chain.start ?? new Int32Array(batch * options.tokens).fill(schedule.codes);
  for (const [index, { time, from, to }] of plan.entries()) {
    signal?.throwIfAborted();
    const prediction = await denoise(tokens, time);
    const predicted = predictor(prediction, tokens.length, options);
    tokens = draw({ index, steps: plan.length, step: reverseStep(schedule, to, from), tokens, ...predicted });
    await options.onStep?.({ step: index + 1, steps: plan.length, time: to, tokens, prediction });
  }
  return tokens;
}

/** Exact steps between the times of `reverseTimes`: the network gets the time that x is at. */
export function exactPlan(total: number, steps: number): ChainStep[] {
  return planOver([...reverseTimes(total, steps)]);
}

/** Exact steps from each time to the next, the network given the time that x is at. */
export const planOver = (times: readonly number[]): ChainStep[] =>
  times.slice(1).map((to, i) => ({ time: times[i]!, from: times[i]!, to }));

/**
 * The index at which the running sum of non-negative weights passes `uniform` of its total: one draw in proportion to
 * them.
 *
 * @throws UserError when they are no weights (NaN or all zero).
 */
export function inverseCdfOf(weights: ArrayLike<number>, uniform: number): number {
  let total = 0;
  for (let k = 0; k < weights.length; k++) total += weights[k]!;
  let reached = 0;
  let likeliest = 0;
  for (let k = 0; k < weights.length; k++) {
    reached += weights[k]!;
    if (uniform * total < reached) return k;
    if (weights[k]! > weights[likeliest]!) likeliest = k;
  }
  if (reached > 0) return likeliest;
  throw new UserError(
    'The denoiser predicts no valid probabilities (NaN or all zero); go back to an earlier checkpoint',
  );
}

/**
 * The times a chain visits, `[steps + 1]`: evenly spaced from `total - 1` down to -1 (clean), rounded to whole times.
 * With `steps = total` that is every time.
 *
 * @throws UserError unless `steps` is a whole number in 1 .. total.
 */
export function reverseTimes(total: number, steps: number): Int32Array {
  if (!Number.isInteger(steps) || steps < 1 || steps > total) {
    throw new UserError(`Sampling steps is ${steps}; this model takes a whole number from 1 to ${total}`);
  }
  return Int32Array.from({ length: steps + 1 }, (_, i) => Math.round((total * (steps - i)) / steps) - 1);
}

function predictor(
  logProbs: Float32Array,
  positions: number,
  { schedule: { codes }, truncation }: SamplerOptions,
): Pick<StepContext, 'predict' | 'largest'> {
  if (logProbs.length !== positions * codes) {
    throw new RangeError(`the denoiser returned ${logProbs.length} values for ${positions} tokens of ${codes} codes`);
  }
  const probabilities = new Float64Array(codes);
  return {
    predict(position) {
      const row = logProbs.subarray(position * codes, (position + 1) * codes);
      for (let k = 0; k < codes; k++) probabilities[k] = Math.exp(row[k]!);
      if (truncation !== undefined) truncateProbabilities(probabilities, row, truncation);
      return probabilities;
    },
    largest(position) {
      let most = Number.NEGATIVE_INFINITY;
      // A broken prediction (NaN) stays visible.
      for (let k = position * codes; k < (position + 1) * codes; k++) most = Math.max(most, logProbs[k]!);
      return Math.exp(most);
    },
  };
}
