/** From pictures to a model: the stages in order, each learning from what the one before has left. */

import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import type { ClipReport } from '../clip/report.ts';
import { writeCard } from '../run/card-facts.ts';
import { checkMadeFrom } from '../run/lineage.ts';
import { lockRun } from '../run/lock.ts';
import { sweepRun } from '../run/sweep.ts';
import { CONDITION_REPORT, checkCondition, conditionNote } from './condition.ts';
import type { RunContext } from './context.ts';
import { drawRunCurves } from './curves-chart.ts';
import { type StageData, stageData } from './data.ts';
import type { Pictures } from './pictures.ts';
import { runStage } from './run-stage.ts';
import { drawSheet } from './sheets.ts';
import { type RegisteredStage, type StageName, stages } from './stages.ts';
import { doneNote } from './standing.ts';
import { isFinished } from './trainer.ts';

export interface PipelineOptions extends RunContext {
  readonly stages: readonly StageName[];
  /** What `openPictures` found; a run of the CLIP alone needs none. */
  readonly pictures: Pictures | undefined;
  /** Draw a sheet after each stage, of these prompts where it generates; by default none is drawn. */
  readonly sheets?: { readonly prompts: readonly string[] } | undefined;
}

/** What a training has come to. */
export interface Trained {
  /** Seconds each stage took, in order. */
  readonly seconds: Readonly<Record<string, number>>;
  /** Whether any stage had something left to do. */
  readonly hasTrained: boolean;
  /** What the compact CLIP is worth, if it was trained now. */
  readonly clip: ClipReport | undefined;
}

/**
 * Train stages of a run, in the order in which they are given.
 * @throws UserError (also if another process trains the run), or Interrupted when the signal fires (training can then
 * be resumed).
 */
export async function trainPipeline(options: PipelineOptions): Promise<Trained> {
  const lock = lockRun(options.run.path);
  sweepRun(options.run);
  const data = stageData(options, options.pictures);
  const seconds: Record<string, number> = {};
  const reports: Partial<Record<StageName, unknown>> = {};
  // What was trained now makes those that learn from it begin anew.
  let { changed } = options;
  let hasTrained = false;
  try {
    for (const name of options.stages) {
      const start = performance.now();
      const done = await train(stages[name], { ...options, changed }, data);
      reports[name] = done.report;
      if (done.isTrained) changed ??= 'follow';
      hasTrained ||= done.isTrained;
      if (name === options.run.denoiserStage) await reportCondition(options, done.isTrained);
      if (done.isTrained && options.sheets) {
        const { prompts } = options.sheets;
        const sheet = await drawSheet(name, options, { prompts, pictures: options.pictures?.source });
        if (sheet !== undefined) options.display.note(`Sheet: ${sheet}`);
      }
      seconds[name] = (performance.now() - start) / 1000;
    }
    const { run } = options;
    if (hasTrained) await drawRunCurves(run);
    if (hasTrained && run.hasModel('tokenizer') && run.hasModel(run.denoiserStage)) await writeCard(run);
    return { seconds, hasTrained, clip: reports.clip as ClipReport | undefined };
  } finally {
    for (const source of [data.pairs, data.pictures, data.latents]) source.close();
    lock.release();
  }
}

/** Look whether prompts will change anything. Under a limit of memory there is no room for it. */
async function reportCondition(options: PipelineOptions, isNew: boolean): Promise<void> {
  const { run, pictures, memory, display } = options;
  if (!pictures || memory !== undefined || (!isNew && fs.existsSync(run.file(CONDITION_REPORT)))) return;
  try {
    const check = await checkCondition(options, pictures);
    if (!check) return;
    run.writeJson(CONDITION_REPORT, check);
    const note = conditionNote(check, run.settings.recipe);
    if (note !== undefined) display.note(note);
  } catch (error) {
    // The model is trained and whole: what keeps it from being looked at is worth a sentence.
    if (!(error instanceof UserError)) throw error;
    display.note(`Whether the model follows its condition was not looked at: ${error.message}`);
  }
}

interface Done {
  readonly isTrained: boolean;
  /** What was measured of its model, where the stage measures it. */
  readonly report: unknown;
}

/**
 * Train a stage, if the run has it and it is not finished. What a kill has prevented from being measured is measured
 * now.
 */
async function train(stage: RegisteredStage, context: RunContext, data: StageData): Promise<Done> {
  const { run, display } = context;
  stage.refuse?.(run);
  if (!stage.isPartOf(run.settings)) return { isTrained: false, report: undefined };
  if (stage.name === 'finetune') checkMadeFrom(run, 'diffusion');
  const identity = await stage.identity(run, data);
  const named = { name: stage.name, steps: stage.stepsOf(run.settings.recipe), ...identity };
  const isDone = isFinished(named, context);
  if (isDone) {
    const note = doneNote(run, named);
    if (note !== undefined) display.note(note);
    if (stage.reportFile === undefined || fs.existsSync(run.file(stage.reportFile)))
      return { isTrained: false, report: undefined };
  }
  const opened = await stage.open(context, data, identity);
  try {
    if (!isDone) await runStage(context, opened.plan, (engine, microBatches) => opened.make(engine, microBatches));
  } finally {
    await opened.close?.();
  }
  return { isTrained: !isDone, report: await opened.report?.() };
}
