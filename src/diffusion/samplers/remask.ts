/**
 * A corrector (ReMDM, Wang et al., arXiv 2503.00307): revealed tokens are masked again with a small probability σ, and
 * so drawn anew in the light of the others; as many more are revealed, so that the share of masks at each time stays
 * what it was.
 */
import * as z from 'zod';
import { uniforms } from '../../random/noise.ts';
import { marginal, type Schedule } from '../process/schedule.ts';
import { type DrawRule, inverseCdfOf, reverseChain } from './chain.ts';
import { defineSampler, type Sampler, type SamplerOptions } from './sampler.ts';
import { type Placement, placedPlan, placement } from './strided.ts';

interface RemaskSettings {
  readonly placement?: Placement;
  /** σ never exceeds this. */
  readonly remasking?: number;
}

const REMASKING = 0.05;

/** Starts from masks alone; tokens are masks or drawn codes, never replaced ones. */
export const remask: Sampler<RemaskSettings> = (denoise, options) =>
  reverseChain(denoise, options, remaskDraw(options), {
    plan: placedPlan(options.schedule, options.steps, options.placement),
  });

export const sampler = defineSampler({
  name: 'remask',
  description: 'masks a revealed token again with a small probability σ and draws it anew (ReMDM, 2503.00307)',
  exact: 'σ ≤ (1 − a_s)/a_t keeps the share of masks exact',
  settings: {
    placement,
    remasking: z
      .number()
      .min(0)
      .max(1)
      .default(REMASKING)
      .describe('the largest probability σ with which a revealed code is masked again, each step'),
  },
  trials: { remask: { placement: 'even' } },
  draw: remask,
});

/** Probabilities of one step, from time t to s. With a_t the share of tokens that are revealed at t: */
export interface Remasking {
  /** σ = min(cap, (1 − a_s) / a_t): a revealed token is masked again. The bound keeps `reveal` a probability. */
  readonly remask: number;
  /** (a_s − (1 − σ) a_t) / (1 − a_t): a masked token is revealed. */
  readonly reveal: number;
}

/**
 * The share of masks goes from 1 − a_t to (1 − a_t)(1 − reveal) + a_t σ = 1 − a_s for every σ within its bound, which
 * is why the network sees at each time what it was trained on.
 */
export function remasking(revealed: { readonly from: number; readonly to: number }, cap: number): Remasking {
  const { from, to } = revealed;
  const remask = from > 0 ? Math.min(cap, (1 - to) / from) : 0;
  return { remask, reveal: from < 1 ? (to - (1 - remask) * from) / (1 - from) : 1 };
}

/** a_t = 1 − γ̄_t; at the start of a chain nothing is revealed, whatever the schedule's prior holds. */
export const revealedAt = (schedule: Schedule, time: number): number =>
  time === schedule.steps - 1 ? 0 : 1 - marginal(schedule, time).gamma;

function remaskDraw({
  schedule,
  tokens: perImage,
  noise,
  placement,
  steps,
  remasking: cap = REMASKING,
}: SamplerOptions & RemaskSettings): DrawRule {
  const plan = placedPlan(schedule, steps, placement);
  return ({ index, tokens, predict }) => {
    const { from, to } = plan[index]!;
    const { remask, reveal } = remasking({ from: revealedAt(schedule, from), to: revealedAt(schedule, to) }, cap);
    const drawn = tokens.slice() as Int32Array<ArrayBuffer>;
    for (let b = 0; b < noise.samples.length; b++) {
      const key = (stream: string) => uniforms({ seed: noise.seed, stream, step: index }, noise.samples[b]!, perImage);
      const [chance, uniform] = [key('sample.remask'), key('sample')];
      for (let l = 0; l < perImage; l++) {
        const i = b * perImage + l;
        if (tokens[i] !== schedule.codes) {
          if (chance[l]! < remask) drawn[i] = schedule.codes;
        } else if (chance[l]! < reveal) drawn[i] = inverseCdfOf(predict(i), uniform[l]!);
      }
    }
    return drawn;
  };
}
