/** From pictures to a model: the stages in order, each learning from what the one before has left. */

import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import type { ClipReport } from '../clip/report.ts';
import { ALONE, lead, onlyFirst } from '../mpi/ranks.ts';
import type { Recipe } from '../recipe/schema.ts';
import { writeCard } from '../run/card-facts.ts';
import type { RunDirectory } from '../run/directory.ts';
import { sweepRun } from '../run/leftovers.ts';
import { checkMadeFrom } from '../run/lineage.ts';
import { lockRun } from '../run/lock.ts';
import type { LocalSteps } from '../stage/local-steps.ts';
import type { RunContext } from './context.ts';
import { type StageData, stageData } from './data.ts';
import { assertSameInputs } from './loop/drift.ts';
import { isFinished } from './loop/trainer.ts';
import type { Pictures } from './pictures/pictures.ts';
import { CONDITION_REPORT, checkCondition, conditionNote } from './reports/condition-report.ts';
import { drawRunCurves } from './reports/curves-chart.ts';
import { sheetFile } from './reports/sheet-files.ts';
import { type SheetChoice, Sheets, SPARING_SHEETS } from './reports/sheets.ts';
import { refuseUneven, runStage } from './run-stage.ts';
import { type RegisteredStage, type StageName, stages } from './stages.ts';
import { doneNote } from './standing.ts';

export interface PipelineOptions extends RunContext {
  readonly stages: readonly StageName[];
  /** What `openPictures` found; a run of the CLIP alone needs none. */
  readonly pictures: Pictures | undefined;
  /**
   * Draw sheets within each stage and at its end, of these prompts where it generates, or of pictures where there are
   * no prompts; by default none are drawn. Sparing ones are smaller, and drawn at quarters, in stages alone in which
   * they cost little. With a limit of memory there is only that of the end.
   */
  readonly sheets?: SheetChoice | undefined;
}

/** The result of a training. */
export interface Trained {
  /** Seconds each stage took, in order. */
  readonly seconds: Readonly<Record<string, number>>;
  /** Whether any stage had something left to do. */
  readonly hasTrained: boolean;
  /** The measurements of the compact CLIP, if it was trained now. */
  readonly clip: ClipReport | undefined;
}

/**
 * Train stages of a run, in the order in which they are given.
 * @throws UserError (also if another process trains the run), or Interrupted when the signal fires (training can then
 * be resumed).
 */
export async function trainPipeline(options: PipelineOptions): Promise<Trained> {
  const { ranks = ALONE, run } = options;
  for (const name of ranks.size > 1 ? options.stages : [])
    if (stages[name].isPartOf(run.settings)) refuseUneven(stages[name].plan(run.settings.recipe, 1), ranks.size);
  await assertSameInputs(ranks, run.settings, options.pictures?.source);
  // The files of a run are those of one rank.
  const isLead = ranks.rank === 0;
  const lock = await onlyFirst(ranks, () => {
    const taken = lockRun(run.path);
    sweepRun(run);
    return taken;
  });
  const data = stageData(options, options.pictures);
  const seconds: Record<string, number> = {};
  const reports: Partial<Record<StageName, unknown>> = {};
  // Those that learn from what was trained now go on with it, if they are to become longer.
  let { changed } = options;
  let hasTrained = false;
  const sheets = options.sheets && new Sheets(options, { ...options.sheets, pictures: options.pictures?.source });
  const sheetCount = options.sheetCount ?? (options.sheets?.isSparing ? SPARING_SHEETS : undefined);
  const drawSheet =
    options.memory === undefined
      ? sheets && ((...of: Parameters<Sheets['during']>) => sheets.during(...of))
      : undefined;
  try {
    for (const name of options.stages) {
      const start = performance.now();
      const done = await train(stages[name], { ...options, changed, drawSheet, sheetCount }, data);
      reports[name] = done.report;
      if (done.isTrained) changed ??= 'follow';
      hasTrained ||= done.isTrained;
      if (name === options.run.denoiserStage && isLead) await reportCondition(options, done.isTrained);
      if (sheets && isLead && (done.isTrained || lacksSheet(options, name))) {
        const sheet = await sheets.after(name, (performance.now() - start) / 1000);
        if (sheet !== undefined) options.display.note(`Sheet: ${sheet}`);
      }
      seconds[name] = (performance.now() - start) / 1000;
    }
    const isToBeMade = (file: string) => isLead && (hasTrained || isStale(run, file, options.stages));
    if (isToBeMade('curves.png')) await drawRunCurves(run);
    if (isToBeMade('README.md') && run.hasModel('tokenizer') && run.hasModel(run.denoiserStage)) writeCard(run);
    return { seconds, hasTrained, clip: reports.clip as ClipReport | undefined };
  } finally {
    for (const source of [data.pairs, data.pictures, data.latents]) source.close();
    lock?.release();
  }
}

/**
 * Whether something that is made of the models of stages is missing, or older than one of them: a kill or a full disk
 * has prevented it.
 */
function isStale(run: RunDirectory, file: string, names: readonly string[]): boolean {
  const since = (path: string) => fs.statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY;
  const made = since(run.file(file));
  return made === Number.NEGATIVE_INFINITY || names.some((name) => since(run.file(name, 'model.safetensors')) > made);
}

/** Whether a kill has prevented the last sheet of a stage. Sparing ones go by the time that a stage took. */
const lacksSheet = ({ run, sheets }: PipelineOptions, name: StageName): boolean =>
  sheets?.isSparing !== true &&
  run.hasModel(name) &&
  !fs.existsSync(run.file(sheetFile(name, run.settings.recipe[name].steps)));

/** Look whether prompts will change anything. Under a limit of memory there is no room for it. */
async function reportCondition(options: PipelineOptions, isNew: boolean): Promise<void> {
  const { run, pictures, memory, display } = options;
  if (!pictures || memory !== undefined || (!isNew && !isStale(run, CONDITION_REPORT, [run.denoiserStage]))) return;
  try {
    const check = await checkCondition(options, pictures);
    if (!check) return;
    run.writeJson(CONDITION_REPORT, check);
    const note = conditionNote(check, run.settings.recipe);
    if (note !== undefined) display.note(note);
  } catch (error) {
    // The model is trained and whole: a failed look at it is only noted.
    if (!(error instanceof UserError)) throw error;
    display.note(`Whether the model follows its condition was not looked at: ${error.message}`);
  }
}

/** @throws UserError if ranks cannot train a stage for themselves, or would never meet. */
function refuseLocal(stage: RegisteredStage, recipe: Recipe, { steps }: LocalSteps): void {
  const { name } = stage;
  const reason = stage.needsWholeBatch(recipe);
  if (reason !== undefined)
    throw new UserError(
      `${name} cannot be trained with local steps: ${reason}. Train it without ${option('sync')} (${option('stages', name)}), then go on with it (${option('resume')})`,
    );
  const all = stage.stepsOf(recipe);
  if (steps > all)
    throw new UserError(`${name} has ${all} steps, and ranks would meet every ${steps}: give ${option('sync')} fewer`);
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
  const { run, display, ranks = ALONE } = context;
  // What is read off files is found once, for all ranks: a network may show them late.
  await lead(ranks, () => stage.refuse?.(run));
  if (!stage.isPartOf(run.settings)) return { isTrained: false, report: undefined };
  if (stage.name === 'finetune') await lead(ranks, () => checkMadeFrom(run, 'diffusion'));
  const identity = await lead(ranks, () => stage.identity(run, data));
  const named = { name: stage.name, steps: stage.stepsOf(run.settings.recipe), ...identity };
  const { isDone, note, isReported } = await lead(ranks, () => {
    const done = isFinished(named, context);
    return {
      isDone: done,
      note: done ? doneNote(run, named) : undefined,
      isReported: stage.reportFile === undefined || !isStale(run, stage.reportFile, [stage.name]),
    };
  });
  if (note !== undefined && ranks.rank === 0) display.note(note);
  if (isDone && isReported) return { isTrained: false, report: undefined };
  if (!isDone && context.sync) refuseLocal(stage, run.settings.recipe, context.sync);
  const opened = await stage.open(context, data, identity);
  try {
    if (!isDone) await runStage(context, opened.plan, (engine, microBatches) => opened.make(engine, microBatches));
  } finally {
    await opened.close?.();
  }
  return { isTrained: !isDone, report: opened.report && (await lead(ranks, opened.report)) };
}
