/** Few exact steps: from any time to any earlier one by the closed-form posterior, at times that are chosen well. */
import { marginal, type Schedule } from '../schedule.ts';
import { drawPrior, exactDraw } from './ancestral.ts';
import { type ChainStep, exactPlan, planOver, reverseChain } from './chain.ts';
import type { Placement, Sampler } from './sampler.ts';

/** Draws x_0 over `steps` exact reverse steps from the prior, the times placed as `options.placement` says. */
export const strided: Sampler = (denoise, options) =>
  reverseChain(denoise, options, exactDraw(options.noise), {
    start: drawPrior(options),
    plan: placedPlan(options.schedule, options.steps, options.placement),
  });

/**
 * Exact steps at chosen times: evenly spaced, or so that the share of masks falls as cos(π i / 2 steps) from the prior's to 0, as in
 * MaskGIT (arXiv 2202.04200): few tokens are revealed while nothing is known yet, many once the rest follows.
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
