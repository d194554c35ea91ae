/**
 * The official program's shortcut to fewer steps, for comparing with it: it strides over the network's times but still
 * takes one-step posteriors, at a time that the tokens are not at. `ancestral` strides exactly and draws better.
 */
import { UserError } from '../../base/errors.ts';
import { type ChainStep, reverseChain } from './chain.ts';
import { gumbelDraw } from './reference.ts';
import { defineSampler, type Sampler } from './sampler.ts';

/** As `reference`, over the plan of the smallest skip that has at most `options.steps` steps. */
export const fast: Sampler = async (denoise, options) => {
  const plan = fastPlan(options.schedule.steps, skipFor(options.schedule.steps, options.steps));
  return reverseChain(denoise, options, gumbelDraw(options), { plan });
};

export const sampler = defineSampler({
  name: 'fast',
  description: 'as the official program draws with few steps, for comparison',
  exact: 'no',
  settings: {},
  // However long the stride, the first and the last time are visited.
  steps: ({ times }) => ({ least: 2, most: times }),
  draw: fast,
});

/**
 * The network gets the times T-1, T-2-skip, ... and at last 0; the posterior is the one-step one at `skip` earlier, or
 * at the same time once that would pass 0.
 *
 * @param total T.
 * @param skip times left out between two steps, from 0.
 */
export function fastPlan(total: number, skip: number): ChainStep[] {
  const plan: ChainStep[] = [];
  for (let time = total - 1; time > -1 - skip; time -= 1 + skip) {
    const at = Math.max(0, time);
    const from = at > skip ? at - skip : at;
    plan.push({ time: at, from, to: from - 1 });
  }
  return plan;
}

function skipFor(total: number, steps: number): number {
  if (!Number.isInteger(steps) || steps < 2 || steps > total) {
    throw new UserError(`fast sampling steps is ${steps}; this model takes a whole number from 2 to ${total}`);
  }
  let skip = 0;
  while (fastPlan(total, skip).length > steps) skip++;
  return skip;
}
