/**
 * Purity-prior sampling (Improved VQ-Diffusion, arXiv 2205.16007): each step reveals a fixed number of tokens, first
 * those the network is surest of, and sharpens their distribution by how sure it is.
 */
import { UserError } from '../../base/errors.ts';
import { uniforms } from '../../random/noise.ts';
import { clampLog, LOG_ZERO, logSumExp } from '../process/log-space.ts';
import { drawReverse } from '../process/reverse.ts';
import { type DrawRule, inverseCdfOf, reverseChain, type StepContext } from './chain.ts';
import { cosineCounts, countedPlan, evenCounts } from './counts.ts';
import { defineSampler, type Sampler, type SamplerOptions } from './sampler.ts';
import { type Placement, placement } from './strided.ts';

/** The rules of purity-prior sampling. */
export interface PuritySettings {
  /** Where tokens are revealed: anywhere alike (the official rule 1) or in proportion to their purity (rule 2). */
  readonly order: 'random' | 'purity';
  /** r: distributions are raised to the power 1 + r · purity. 0 leaves them alone, as does the order `random`. */
  readonly weight: number;
  /**
   * Tokens revealed a step: spread evenly, few first and many later (a cosine), or the official table, which is made
   * for 1,024 tokens.
   */
  readonly counts: Placement | 'reference';
}

/** A sampler by these rules. The last step reveals what is left, from the posterior. */
export function purity(settings: PuritySettings): Sampler {
  return async (denoise, options) => {
    const counts = revealCounts(settings.counts, options.tokens, options.steps);
    const chain = settings.counts === 'cosine' ? { plan: countedPlan(options.schedule, counts) } : {};
    return reverseChain(denoise, options, purityDraw(settings, counts, options), chain);
  };
}

export const sampler = defineSampler({
  name: 'purity',
  description: 'reveals the surest tokens first, and sharpens them (Improved VQ-Diffusion, 2205.16007)',
  exact: 'no: it trades variety for sureness',
  settings: { placement },
  trials: { purity: { placement: 'even' }, 'purity-cosine': { placement: 'cosine' } },
  // Rule 2 with weight 1; counts are spread over any number of tokens.
  draw: (denoise, options: SamplerOptions & { readonly placement?: Placement }) =>
    purity({ order: 'purity', weight: 1, counts: options.placement ?? 'even' })(denoise, options),
});

/**
 * How many tokens each step reveals, first step first, `[steps]`.
 *
 * @throws UserError when the official program has no table for so many steps, or there are fewer tokens than steps.
 */
export function revealCounts(counts: PuritySettings['counts'], tokens: number, steps: number): number[] {
  if (counts === 'reference') return referenceTable(steps, Number.POSITIVE_INFINITY).reverse();
  return counts === 'cosine' ? cosineCounts(tokens, steps) : evenCounts(tokens, steps);
}

/** Tables of the official program, by diffusion time from 0; chains walk them from the end. */
const REFERENCE_TABLES: Readonly<Record<number, { head: number[]; body: number[]; times: number; tail: number[] }>> = {
  100: { head: [1, 10], body: [11, 10, 10], times: 32, tail: [11, 11] },
  50: { head: [10], body: [21, 20], times: 24, tail: [30] },
  25: { head: [21], body: [41], times: 23, tail: [60] },
  10: { head: [69], body: [102], times: 8, tail: [139] },
};
/** Its variant for 100 steps where at most this many tokens may be revealed at once. */
const SMALL_STEP = 10;

/**
 * The official `n_sample`, indexed by time: 1,025 tokens in all for 100 steps, 1,024 for the others.
 *
 * @param mostAtOnce the official `prior_ps`; at most 10 changes the table for 100 steps.
 * @throws UserError when there is no table for so many steps.
 */
export function referenceTable(steps: number, mostAtOnce: number): number[] {
  const table = REFERENCE_TABLES[steps];
  if (!table)
    throw new UserError(
      `The official purity counts exist for 10, 25, 50 and 100 steps, not for ${steps}; use even counts`,
    );
  const { head, body, times, tail } = table;
  const middle = Array.from({ length: times }, () => body).flat();
  return steps === 100 && mostAtOnce <= SMALL_STEP ? [1, 6, ...middle, 11, 15] : [...head, ...middle, ...tail];
}

/** The largest probability of one token `[K]`, relative to that of the surest token of the picture: in [0, 1]. */
export function purityScores(largest: ArrayLike<number>): Float64Array {
  let surest = 0;
  for (let i = 0; i < largest.length; i++) surest = Math.max(surest, largest[i]!);
  return Float64Array.from(largest, (p) => p / (surest + 1e-10));
}

/** log softmax((1 + weight · score) log p), clamped to [-70, 0]: sharper where the score is higher. `[classes]`. */
export function sharpened(logProbs: ArrayLike<number>, score: number, weight: number): Float64Array {
  const powered = new Float64Array(logProbs.length);
  for (let k = 0; k < powered.length; k++) powered[k] = (1 + weight * score) * logProbs[k]!;
  const normalizer = logSumExp(powered, 0, powered.length);
  for (let k = 0; k < powered.length; k++) powered[k] = clampLog(powered[k]! - normalizer);
  return powered;
}

/**
 * What the draw of positions may choose from: scores where a token is still masked, 0 elsewhere; alike if all are 0.
 */
export function selectableScores(scores: ArrayLike<number>, isMasked: (position: number) => boolean): Float64Array {
  const flat = Float64Array.from(scores).reduce((sum, s) => sum + s, 0) < 1e-6 ? 1 : 0;
  return Float64Array.from(scores, (score, i) => (isMasked(i) ? score + flat : 0));
}

/**
 * `count` different positions with probability in proportion to their scores, one after another without replacement
 * (exponential races; Efraimidis & Spirakis, 2006). Positions of score 0 are never drawn.
 */
export function drawPositions(scores: ArrayLike<number>, count: number, uniform: ArrayLike<number>): number[] {
  const arrival = Array.from(scores, (score, i) => (score > 0 ? -Math.log(uniform[i]!) / score : Infinity));
  const order = [...arrival.keys()].filter((i) => arrival[i]! < Infinity);
  return order.sort((a, b) => arrival[a]! - arrival[b]!).slice(0, count);
}

function purityDraw(
  settings: PuritySettings,
  counts: readonly number[],
  { tokens: perImage, noise }: SamplerOptions,
): DrawRule {
  return (context) => {
    const { index, steps, step, tokens } = context;
    const last = index === steps - 1;
    const count = counts[index]!;
    const drawn = tokens.slice() as Int32Array<ArrayBuffer>;
    for (let b = 0; b < noise.samples.length; b++) {
      const key = (stream: string) => uniforms({ seed: noise.seed, stream, step: index }, noise.samples[b]!, perImage);
      const uniform = key('sample');
      const first = b * perImage;
      if (last) {
        for (let l = 0; l < perImage; l++) {
          drawn[first + l] = drawReverse(step, tokens[first + l]!, uniform[l]!, () => context.predict(first + l));
        }
        continue;
      }
      const scores = scoresOf(settings, context, first, perImage);
      const selectable = selectableScores(scores, (l) => tokens[first + l] === step.codes);
      for (const l of drawPositions(selectable, count, key('sample.purity'))) {
        drawn[first + l] = reveal(settings, context.predict(first + l), scores[l]!, uniform[l]!);
      }
    }
    return drawn;
  };
}

/** Purity of every token of one picture; visible tokens count too, as the official program counts them. */
function scoresOf({ order }: PuritySettings, { largest }: StepContext, first: number, count: number): Float64Array {
  if (order === 'random') return new Float64Array(count).fill(1);
  return purityScores(Float64Array.from({ length: count }, (_, l) => largest(first + l)));
}

/** One code of the sharpened prediction, by inverse CDF. */
function reveal({ order, weight }: PuritySettings, predicted: Float64Array, score: number, uniform: number): number {
  const power = order === 'random' ? 0 : weight;
  if (power === 0) return inverseCdfOf(predicted, uniform);
  const logs = new Float64Array(predicted.length);
  for (let k = 0; k < logs.length; k++) logs[k] = Math.max(LOG_ZERO, Math.log(predicted[k]!));
  const weights = sharpened(logs, score, power);
  for (let k = 0; k < weights.length; k++) weights[k] = Math.exp(weights[k]!);
  return inverseCdfOf(weights, uniform);
}
