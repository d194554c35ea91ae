/** Few exact steps: from any time to any earlier one by the closed-form posterior, at times that are chosen well. */
import * as z from 'zod';
import { marginal, type Schedule } from '../process/schedule.ts';
import { drawPrior, exactDraw } from './ancestral.ts';
import { type ChainStep, exactPlan, planOver, reverseChain } from './chain.ts';
import { defineSampler, type Sampler } from './sampler.ts';

/** Where the times of a chain lie: evenly spaced, or so that few tokens are revealed first and many later. */
export const placement = z
  .enum(['even', 'cosine'])
  .default('even')
  .describe('times of a chain: evenly spaced, or few codes revealed first and many later');
/** How a chain places its steps. */
export type Placement = z.infer<typeof placement>;

/** Draws x_0 over `steps` exact reverse steps from the prior, the times placed as `options.placement` says. */
export const strided: Sampler<{ readonly placement?: Placement }> = (denoise, options) =>
  reverseChain(denoise, options, exactDraw(options.noise), {
    start: drawPrior(options),
    plan: placedPlan(options.schedule, options.steps, options.placement),
  });

export const sampler = defineSampler({
  name: 'strided',
  description: 'the exact posterior from any time to any earlier one; few steps, at chosen times',
  exact: 'as `ancestral`',
  settings: { placement },
  trials: { strided: { placement: 'even' }, 'strided-cosine': { placement: 'cosine' } },
  draw: strided,
});

/**
 * Exact steps at chosen times: evenly spaced, or so that the share of masks falls as cos(π i / 2 steps) from the
 * prior's to 0, as in MaskGIT (arXiv 2202.04200): few tokens are revealed while nothing is known yet, many once the
 * rest follows.
 *
 * @throws UserError unless `steps` is a whole number in 1 .. T.
 */
export function placedPlan(schedule: Schedule, steps: number, placement: Placement = 'even'): ChainStep[] {
  const even = exactPlan(schedule.steps, steps);
  if (placement === 'even') return even;
  const last = schedule.steps - 1;
  const prior = marginal(schedule, last).gamma;
  const times = [last];
  for (let i = 1; i < steps; i++) {
    const wanted = prior * Math.cos((Math.PI * i) / (2 * steps));
    // Every step goes on by one at least, and leaves one for each that follows.
    const [earliest, latest] = [steps - i - 1, times[i - 1]! - 1];
    times.push(Math.min(latest, Math.max(earliest, timeOf(schedule, wanted))));
  }
  return planOver([...times, -1]);
}

/** The time at which the share of masks is nearest to `masked`, by halving: it rises with time. */
export function timeOf(schedule: Schedule, masked: number): number {
  let [low, high] = [-1, schedule.steps - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (marginal(schedule, middle).gamma < masked) low = middle;
    else high = middle;
  }
  if (low < 0) return high;
  return masked - marginal(schedule, low).gamma < marginal(schedule, high).gamma - masked ? low : high;
}
