/** Samplers that reveal a certain number of tokens a step: how many, and what time the network is given. */
import { UserError } from '../../base/errors.ts';
import type { Schedule } from '../process/schedule.ts';
import type { ChainStep } from './chain.ts';
import { placedPlan, timeOf } from './strided.ts';

/**
 * Tokens that each of `steps` steps reveals, at least one: so many that ⌈N cos(π i / 2 steps)⌉ are masked after step i.
 *
 * @throws UserError if there are more steps than tokens.
 */
export function cosineCounts(tokens: number, steps: number): number[] {
  if (!Number.isInteger(steps) || steps < 1 || steps > tokens)
    throw new UserError(
      `Sampling steps is ${steps}; ${tokens} tokens, one a step at least, take a whole number from 1 to ${tokens}`,
    );
  let masked = tokens;
  return Array.from({ length: steps }, (_, i) => {
    const left = steps - i - 1;
    const wanted = Math.ceil(tokens * Math.cos((Math.PI * (i + 1)) / (2 * steps)) - 1e-9);
    const after = Math.max(left, Math.min(masked - 1, wanted));
    const count = masked - after;
    masked = after;
    return count;
  });
}

/** Tokens that each of `steps` steps reveals, as even as whole numbers can be. */
export function evenCounts(tokens: number, steps: number): number[] {
  const done = (step: number) => Math.round((tokens * step) / steps);
  return Array.from({ length: steps }, (_, i) => done(i + 1) - done(i));
}

/** A chain that reveals so many tokens a step: the network gets the time at which as many are masked as there are. */
export function countedPlan(schedule: Schedule, counts: readonly number[]): ChainStep[] {
  const tokens = counts.reduce((sum, count) => sum + count, 0);
  let masked = tokens;
  return placedPlan(schedule, counts.length).map((step, i) => {
    const time = masked === tokens ? schedule.steps - 1 : timeOf(schedule, masked / tokens);
    masked -= counts[i]!;
    return { ...step, time };
  });
}
