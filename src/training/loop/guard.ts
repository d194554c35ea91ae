/**
 * The guard of a stage: it finds steps that went wrong by their numbers, and decides whether to leave them out, slow
 * down, or stop.
 */

import * as z from 'zod';
import type { Metrics } from '../../stage/stage.ts';

/** Steps left out at one rate before the rate is halved, and halvings before training stops. */
export const MOST_SKIPPED = 3;
export const MOST_HALVINGS = 3;
/** Faults at one rate after which it is halved, also if steps that were left out were cleared again. */
const MOST_FAULTS = 6;
/** Good steps after which the ones left out before no longer count. */
const FORGIVEN_AFTER = 500;
/** Losses that the running mean is taken over. */
const WINDOW = 100;
/** A loss this many times its running mean is a fault; diffusion losses are drawn with weights and have long tails. */
const SPIKE = 100;

const schema = z.strictObject({
  /** Running mean of |loss|, over how many losses, and of which kind: another set of metrics is another loss. */
  mean: z.number(),
  count: z.int(),
  names: z.string(),
  /** What the stage's learning rate is multiplied by. */
  rate: z.number().positive(),
  halvings: z.int(),
  /** Steps that are left out. */
  skipped: z.array(z.int()),
  /** Steps left out and faults since the rate was last halved, and the step of the last one. */
  leftOut: z.int(),
  faults: z.int(),
  lastFault: z.int(),
});
type GuardState = z.infer<typeof schema>;

const FRESH: GuardState = {
  mean: 0,
  count: 0,
  names: '',
  rate: 1,
  halvings: 0,
  skipped: [],
  leftOut: 0,
  faults: 0,
  lastFault: -1,
};

/** What is done about a fault: leave out a step, go on at half the rate, or give up. */
export type Remedy = 'skip' | 'halve' | 'stop';

/** The state of one stage's guard, which checkpoints keep. */
export class Guard {
  private constructor(private state: GuardState) {}

  /** A guard of a stage's first step, or the one that a checkpoint holds. */
  static from(saved?: string): Guard {
    if (saved === undefined) return new Guard({ ...FRESH });
    const parsed = schema.safeParse(jsonOf(saved));
    return new Guard(parsed.success ? parsed.data : { ...FRESH });
  }

  /** What `from` takes up again. */
  save(): string {
    return JSON.stringify(this.state);
  }

  /** What the stage's learning rate is multiplied by; 1 as long as nothing went wrong. */
  get rate(): number {
    return this.state.rate;
  }

  get skipped(): readonly number[] {
    return this.state.skipped;
  }

  isSkipped(step: number): boolean {
    return this.state.skipped.includes(step);
  }

  /** What is wrong with a step's numbers, as a clause, or undefined. A good loss enters the running mean. */
  see(metrics: Metrics): string | undefined {
    const fault = this.faultIn(metrics);
    if (fault !== undefined) return fault;
    const names = namesOf(metrics);
    if (names !== this.state.names) this.state = { ...this.state, names, mean: 0, count: 0 };
    const { mean, count } = this.state;
    const next = count + 1;
    this.state.count = next;
    this.state.mean = mean + (Math.abs(metrics.loss) - mean) / Math.min(next, WINDOW);
    return undefined;
  }

  /** What is wrong with a step's numbers, as a clause, or undefined; the running mean stays as it is. */
  faultIn(metrics: Metrics): string | undefined {
    const { loss, gradientNorm } = metrics;
    if (!Number.isFinite(loss)) return `the loss is ${loss}`;
    if (gradientNorm !== undefined && !Number.isFinite(gradientNorm)) return `the gradient's norm is ${gradientNorm}`;
    const { mean, count, names } = this.state;
    if (count === 0 || mean === 0 || names !== namesOf(metrics)) return undefined;
    // Of few losses the mean is not well known yet.
    const limit = SPIKE * (1 + SPIKE / count ** 2);
    const ratio = Math.abs(loss) / mean;
    return ratio > limit
      ? `the loss is ${loss.toPrecision(3)}, ${ratio.toPrecision(2)} times its running mean`
      : undefined;
  }

  /** The last step before `step` that was trained; undefined if there is none. */
  trainedBefore(step: number): number | undefined {
    let last = step - 1;
    while (this.isSkipped(last)) last--;
    return last < 0 ? undefined : last;
  }

  /**
   * Decide about a fault. With `halve` the running mean begins anew.
   * @param step whose fault it is.
   * @param cleared steps that were left out for it by mistake.
   * @param before the guard of the checkpoint that training goes back to, with its running mean of losses.
   */
  remedy(step: number, cleared: readonly number[], before: Guard): Remedy {
    const { mean, count, names } = before.state;
    const { skipped, lastFault, halvings, rate } = this.state;
    const isOld = step - lastFault > FORGIVEN_AFTER;
    const [leftOut, faults] = isOld ? [0, 0] : [this.state.leftOut - cleared.length, this.state.faults];
    const learned = { mean, count, names, lastFault: Math.max(step, lastFault) };
    if (leftOut < MOST_SKIPPED && faults < MOST_FAULTS) {
      const kept = skipped.filter((one) => !cleared.includes(one));
      const all = [...new Set([...kept, step])].sort((a, b) => a - b);
      this.state = { ...this.state, ...learned, skipped: all, leftOut: Math.max(0, leftOut) + 1, faults: faults + 1 };
      return 'skip';
    }
    if (halvings === MOST_HALVINGS) return 'stop';
    const anew = { mean: 0, count: 0, leftOut: 0, faults: 0 };
    this.state = { ...this.state, ...learned, ...anew, rate: rate / 2, halvings: halvings + 1 };
    return 'halve';
  }
}

const namesOf = (metrics: Metrics): string => Object.keys(metrics).sort().join();

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
