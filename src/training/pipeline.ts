/** From pictures to a model: the stages in order, each learning from what the one before has left. */

import type { ClipReport } from '../clip/report.ts';
import type { RunContext } from './context.ts';
import { type StageData, stageData } from './data.ts';
import type { Pictures } from './pictures.ts';
import { runStage } from './run-stage.ts';
import { type RegisteredStage, type StageName, stages } from './stages.ts';
import { isFinished } from './trainer.ts';

export interface PipelineOptions extends RunContext {
  readonly stages: readonly StageName[];
  /** What `openPictures` found; a run of the CLIP alone needs none. */
  readonly pictures: Pictures | undefined;
}

/** What a training has come to. */
export interface Trained {
  /** Seconds each stage took, in order. */
  readonly seconds: Readonly<Record<string, number>>;
  /** What the compact CLIP is worth, if it was trained now. */
  readonly clip: ClipReport | undefined;
}

/**
 * Train stages of a run, in the order in which they are given.
 * @throws UserError, or Interrupted when the signal fires (training can then be resumed).
 */
export async function trainPipeline(options: PipelineOptions): Promise<Trained> {
  const data = stageData(options, options.pictures);
  const seconds: Record<string, number> = {};
  const reports: Partial<Record<StageName, unknown>> = {};
  try {
    for (const name of options.stages) {
      const start = performance.now();
      reports[name] = await train(stages[name], options, data);
      seconds[name] = (performance.now() - start) / 1000;
    }
    return { seconds, clip: reports.clip as ClipReport | undefined };
  } finally {
    for (const source of [data.pairs, data.pictures, data.latents]) source.close();
  }
}

/**
 * Train a stage, if the run has it and it is not finished.
 * @returns what was measured of its model, where the stage measures it.
 */
async function train(stage: RegisteredStage, context: RunContext, data: StageData): Promise<unknown> {
  const { run } = context;
  stage.refuse?.(run);
  if (!stage.isPartOf(run.settings)) return undefined;
  const fingerprint = stage.fingerprint(run, await stage.dataId(data));
  const identity = { name: stage.name, steps: stage.stepsOf(run.settings.recipe), fingerprint };
  if (isFinished(identity, context)) return undefined;
  const opened = await stage.open(context, data, fingerprint);
  try {
    await runStage(context, opened.plan, (engine, microBatches) => opened.make(engine, microBatches));
  } finally {
    await opened.close?.();
  }
  return opened.report?.();
}
