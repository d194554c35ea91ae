/**
 * The next step of a stage, or, where ranks make steps for themselves, all up to the one at which they meet: one loop
 * of the trainer. What the steps have given is the same on all ranks.
 */

import type { Engine } from '../../engine/engine.ts';
import { ALONE, type Ranks } from '../../mpi/ranks.ts';
import { type LocalSteps, meansOver, nextMeeting } from '../../stage/local-steps.ts';
import type { Metrics, Stage } from '../../stage/stage.ts';
import type { Guard } from './guard.ts';

export interface Advance {
  /** Undefined of a step that was left out. */
  readonly metrics: Metrics | undefined;
  readonly learningRate: number | undefined;
}

interface With {
  readonly engine: Engine;
  readonly ranks?: Ranks | undefined;
  readonly sync?: LocalSteps | undefined;
}

/** Run step `from`, and those that follow before ranks meet, but at most to `end`; `from` is not left out. */
export async function advance(
  stage: Stage,
  from: number,
  end: number,
  guard: Guard,
  { engine, ranks = ALONE, sync }: With,
): Promise<readonly Advance[]> {
  const until = sync ? nextMeeting(sync, from, end) : from + 1;
  const made: Advance[] = [];
  for (let step = from; step < until; step++) {
    const rate = stage.learningRate?.(step);
    const learningRate = rate === undefined ? undefined : guard.rate * rate;
    const isLeftOut = step > from && guard.isSkipped(step);
    if (isLeftOut) await stage.skip?.(step);
    const run = () => engine.span(`${stage.name} step`, () => stage.run(step, guard.rate));
    made.push({ learningRate, metrics: isLeftOut ? undefined : await run() });
  }
  if (!sync) return made;
  await engine.span('meeting', async () => stage.meet?.());
  const means: Advance[] = [];
  for (const { metrics, learningRate } of made)
    means.push({ learningRate, metrics: metrics && (await meansOf(ranks, metrics)) });
  return means;
}

/** The means of all ranks' metrics, which have the same names on all. */
export async function meansOf(ranks: Ranks, metrics: Metrics): Promise<Metrics> {
  const means = await meansOver(ranks, Object.values(metrics));
  return Object.fromEntries(Object.keys(metrics).map((name, i) => [name, means[i]!])) as Metrics;
}
