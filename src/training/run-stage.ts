/** One stage of a run from beginning to end; under a limit of memory in as many parts as that takes, and in more if it takes more. */

import { UserError } from '../base/errors.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import { peakResidentBytes, sizeText } from '../engine/memory/resident.ts';
import { divisors, partsOf } from '../optim/micro-batches.ts';
import type { TrainingDisplay } from '../stage/display.ts';
import type { Stage } from '../stage/stage.ts';
import { MemoryWatch, type PlannedStage, planLine, planUnder, present } from './memory.ts';
import { isFinished, TooLarge, type TrainOptions, trainStage } from './trainer.ts';

export interface RunStageOptions
  extends Pick<TrainOptions, 'run' | 'resume' | 'checkpointEvery' | 'maxSteps' | 'signal'> {
  readonly engine: EngineOptions;
  /** Micro-batches that a batch is computed in, where it has so many pictures. */
  readonly accumulate?: number | undefined;
  /** Bytes that the process may hold. */
  readonly memory?: number | undefined;
  /** Watches the process, for tests. */
  readonly watch?: ((limit: number) => Pick<MemoryWatch, 'isOver' | 'isNear'>) | undefined;
  readonly display: TrainingDisplay;
}

/** Makes the stage for an engine, to compute its batches in so many parts. */
export type MakeStage = (engine: Engine, parts: number) => Stage;

/**
 * Train a stage. A stage that grows beyond the limit in spite of its plan leaves a checkpoint and goes on from it in more parts.
 * @throws UserError if it cannot stay under the limit, before anything runs or with a checkpoint. Otherwise as `trainStage`.
 */
export async function runStage(options: RunStageOptions, planned: PlannedStage, make: MakeStage): Promise<void> {
  const { memory: limit, display } = options;
  let parts = partsOf(planned.batch, options.accumulate);
  for (let resume = options.resume, grown = false; ; resume = true, grown = true) {
    const least = grown ? divisors(planned.batch).find((n) => n > parts) : parts;
    const before = limit === undefined ? undefined : present();
    const stopped = await attempt({ ...options, resume }, planned, make, () => {
      if (limit === undefined || !before) return parts;
      const plan = planUnder(planned, least, limit, before);
      if (plan.parts > parts) display.note(planLine(planned, plan, limit));
      parts = plan.parts;
      return parts;
    });
    if (!stopped) return;
    const size = `${planned.name}: the process has come to ${sizeText(peakResidentBytes())} at step ${stopped.step} of ${stopped.steps}`;
    if (parts === planned.batch)
      throw new UserError(
        `${size}, one picture at a time, and --memory allows ${sizeText(limit!)}: what is done is kept; go on with --resume and more --memory`,
      );
    display.note(`${size}; it goes on in more parts`);
  }
}

/** One attempt, in an engine of its own, so that its memory is free afterwards. */
async function attempt(
  options: RunStageOptions,
  planned: PlannedStage,
  make: MakeStage,
  choose: () => number,
): Promise<TooLarge | undefined> {
  const engine = Engine.start(options.engine);
  try {
    if (isFinished(make(engine, 1), options)) return undefined;
    const parts = choose();
    const { memory: limit, watch: watchOf = (most) => new MemoryWatch(most) } = options;
    const watch = limit === undefined ? undefined : watchOf(limit);
    const { run, resume, checkpointEvery, maxSteps, signal, display } = options;
    await trainStage(make(engine, parts), {
      run,
      engine,
      resume,
      checkpointEvery,
      maxSteps,
      signal,
      isTooLarge: watch && (() => watch.isOver() || (parts < planned.batch && watch.isNear())),
      onProgress: display.step,
      onNote: display.note,
    });
    return undefined;
  } catch (error) {
    if (error instanceof TooLarge) return error;
    throw error;
  } finally {
    await engine.close();
  }
}
