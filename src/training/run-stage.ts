/**
 * One stage of a run from beginning to end; under a limit of memory in as many micro-batches as that takes, and in more
 * if it takes more.
 */

import { availableParallelism } from 'node:os';
import { UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import { Engine } from '../engine/engine.ts';
import { peakResidentBytes, sizeText } from '../engine/memory/resident.ts';
import { ALONE } from '../mpi/ranks.ts';
import { divisors, microBatchesOf } from '../optim/micro-batches.ts';
import type { OpenStage, StagePlan } from '../stage/descriptor.ts';
import type { RunContext } from './context.ts';
import { TooLarge, trainStage } from './loop/trainer.ts';
import { currentBaseline, MemoryWatch, planLine, planUnder } from './memory.ts';

/** What watches the process while a stage runs; tests have their own. */
export type WatchMemory = (limit: number) => Pick<MemoryWatch, 'isOver' | 'isNear'>;

/**
 * Train a stage that is not finished. A stage that grows beyond the limit in spite of its plan leaves a checkpoint and
 * goes on from it in more micro-batches.
 * @throws UserError if it cannot stay under the limit, before anything runs or with a checkpoint. Otherwise as
 * `trainStage`.
 */
export async function runStage(
  context: RunContext,
  whole: StagePlan,
  make: OpenStage['make'],
  watchMemory: WatchMemory = (limit) => new MemoryWatch(limit),
): Promise<void> {
  const { memory: limit, display, ranks = ALONE, sync } = context;
  const sharers = sync ? 1 : ranks.size;
  const planned = rankPlan(whole, sharers);
  let microBatches = microBatchesOf(planned.batch, context.microBatches);
  for (let { resume } = context, least = microBatches; ; resume = true) {
    if (limit !== undefined) {
      const plan = planUnder(planned, least, limit, currentBaseline());
      if (plan.microBatches > microBatches) display.note(planLine(planned, plan, limit));
      microBatches = plan.microBatches;
    }
    const watch = limit === undefined ? undefined : watchMemory(limit);
    const hasMore = microBatches < planned.batch;
    const isTooLarge = watch && (() => watch.isOver() || (hasMore && watch.isNear()));
    const stopped = await attempt({ ...context, resume }, (engine) => make(engine, sharers * microBatches), isTooLarge);
    if (!stopped) return;
    const size = `${planned.name}: the process holds ${sizeText(peakResidentBytes())} at step ${stopped.step} of ${stopped.steps}`;
    if (!hasMore)
      throw new UserError(
        `${size}, one picture at a time, and ${option('memory')} allows ${sizeText(limit!)}: what is done is kept; go on with ${option('resume')} and more ${option('memory')}`,
      );
    display.note(`${size}; it goes on in more parts`);
    least = divisors(planned.batch).find((n) => n > microBatches)!;
  }
}

/** What one rank of several computes of a stage: a share of its batch, in micro-batches of its own. */
function rankPlan(plan: StagePlan, ranks: number): StagePlan {
  if (ranks === 1) return plan;
  refuseUneven(plan, ranks);
  return { ...plan, batch: plan.batch / ranks, footprint: (microBatches) => plan.footprint(ranks * microBatches) };
}

/** @throws UserError if so many ranks do not divide a stage's batch, with the nearest that they do. */
export function refuseUneven({ name, batch }: Pick<StagePlan, 'name' | 'batch'>, ranks: number): void {
  if (batch % ranks === 0) return;
  const less = batch - (batch % ranks);
  const nearest = [...(less > 0 ? [less] : []), less + ranks];
  throw new UserError(
    `${name}.batch is ${batch}, which ${ranks} ranks do not divide: ${nearest.map((n) => option('set', `${name}.batch=${n}`)).join(' or ')}, or start as many ranks as one of ${divisors(batch).join(', ')}`,
  );
}

/** One attempt, in an engine of its own, so that its memory is free afterwards. */
async function attempt(
  context: RunContext,
  make: (engine: Engine) => ReturnType<OpenStage['make']>,
  isTooLarge: (() => boolean) | undefined,
): Promise<TooLarge | undefined> {
  const engine = Engine.start(context.engineOptions);
  try {
    const { display } = context;
    await trainStage(make(engine), {
      ...context,
      engine,
      threads: context.engineOptions.threads || availableParallelism(),
      isTooLarge,
      onProgress: (progress) => display.step(progress),
      onNote: (note) => display.note(note),
    });
    return undefined;
  } catch (error) {
    if (error instanceof TooLarge) return error;
    throw error;
  } finally {
    await engine.close();
  }
}
