/** `clipvq train`: from a folder of pictures to a run directory that generates. */

import { Command } from 'commander';
import { UserError } from '../base/errors.ts';
import { type ClipReport, clipDoubt, clipFault, clipOverfitting } from '../clip/report.ts';
import type { Recall } from '../clip/retrieval.ts';
import { isPairsFile, readPairs } from '../data/sources/pairs.ts';
import { isToBeFetched } from '../embedding/sources/clip-source.ts';
import { DEFAULT_CLIP } from '../embedding/sources/default-clip.ts';
import { peakResidentBytes, sizeText } from '../engine/memory/resident.ts';
import { lead, onlyFirst, type Ranks } from '../mpi/ranks.ts';
import { RunDirectory, type RunSettings } from '../run/directory.ts';
import { isMadeFrom } from '../run/lineage.ts';
import { createFrom } from '../run/origin.ts';
import { openPicturesOnRanks, type Pictures } from '../training/pictures/pictures.ts';
import { type Trained, trainPipeline } from '../training/pipeline.ts';
import type { SheetChoice } from '../training/reports/sheets.ts';
import { openResumed } from '../training/resumed.ts';
import { type StageName, stages } from '../training/stages.ts';
import { descriptions } from './command-names.ts';
import { printEstimate } from './estimate.ts';
import { checkLimit, checkMemory } from './memory.ts';
import { CHECKPOINT_KEPT, interruptSignal, note, printResult } from './output.ts';
import { percent } from './percent.ts';
import { pictureSettings } from './picture-options.ts';
import { profiled } from './profile.ts';
import { duration, ProgressDisplay } from './progress.ts';
import { trainingRanks } from './rank-options.ts';
import { checkLengths, fitted, isWholeLength, suitedLengths } from './run-length.ts';
import { checkClipStage, fewPictures } from './sense.ts';
import { type TrainCommandOptions, withTrainOptions } from './train-options.ts';
import {
  checkLpips,
  chosenStages,
  embeddingWidth,
  newSettings,
  openOrigin,
  resumeOptions,
  sheetChoice,
} from './train-settings.ts';

export const trainCommand = (): Command =>
  withTrainOptions(new Command('train').description(descriptions.train)).action(train);

async function train(given: TrainCommandOptions): Promise<void> {
  const options = { ...given, set: { ...given.set, ...pictureSettings(given) } };
  checkLimit(options);
  if (options.estimate) return printEstimate(options);
  if (options.run === undefined) throw new UserError('Say where to keep the run: --run <dir>');
  return trainInto(options.run, options);
}

async function trainInto(folder: string, options: TrainCommandOptions): Promise<void> {
  const display = new ProgressDisplay();
  const signal = interruptSignal(undefined, CHECKPOINT_KEPT);
  const ranks = trainingRanks(options);
  const wanted = wantedTraining(folder, options);
  const { names, resumed } = wanted;
  // A CLIP that has to be fetched waits until the pictures are found to be in order.
  const isLater = await lead(ranks, () => isToBeFetched(wanted.settings.clip, options));
  const width = () => lead(ranks, () => embeddingWidth(wanted.settings, options, signal, display));
  const dim = isLater ? DEFAULT_CLIP.dim : await width();
  const { settings, about } = await withLengths(wanted, dim, options, ranks);
  for (const sentence of wanted.notes) note(sentence);
  checkMemory(options, settings, names, dim, resumed);
  if (isPairsFile(settings.data)) readPairs(settings.data);
  const pictures = names.some((name) => stages[name].sees !== 'pairs')
    ? await openPicturesOnRanks(ranks, settings, { signal, display }, resumed)
    : undefined;
  const few = pictures && fewPictures(pictures.source.size);
  if (about !== undefined && isWholeLength(options)) note(about);
  // A resumed run has shown them at its beginning.
  if (few !== undefined && !resumed) note(few);
  if (pictures && pictures.heldOut.size > 0 && !resumed) note(heldOutLine(pictures));
  if (isLater) checkMemory(options, settings, names, await width(), resumed);
  const run = await begun(folder, wanted, settings, ranks);
  const trained = await profiled(options, (engineOptions) =>
    trainPipeline({
      run,
      pictures,
      stages: names,
      engineOptions,
      ranks,
      sync: options.sync,
      microBatches: options.accumulate,
      memory: options.memory,
      resume: options.resume ?? false,
      checkpointEvery: options.checkpointEvery,
      hashEvery: options.hashEvery,
      sheets: wanted.sheets,
      sheetEvery: options.sheetsEvery,
      changed: options.changed,
      lpips: { folder: options.lpips, offline: options.offline },
      signal,
      display,
    }),
  );
  display.end();
  printTrained(run, trained, names, few, options.json ?? false);
}

/** A training as the options want it. */
interface WantedTraining {
  /** Those of the run; of a new one with the lengths of its recipe. */
  readonly settings: RunSettings;
  readonly names: readonly StageName[];
  readonly sheets: SheetChoice | undefined;
  /** The run that is gone on with. */
  readonly resumed: RunDirectory | undefined;
  /** The model whose weights and settings a new run starts from. */
  readonly source: RunDirectory | undefined;
  /** Sentences for the user about how it goes on. */
  readonly notes: readonly string[];
}

/**
 * What the options say, checked against each other and against what is in their folders: whatever cannot work is found
 * before anything is written or trained.
 * @throws UserError for options that do not go together, or a folder that does not hold what they say.
 */
function wantedTraining(folder: string, options: TrainCommandOptions): WantedTraining {
  checkLengths(options);
  if (options.resume && options.recipe !== undefined)
    throw new UserError('A resumed run keeps its recipe: leave --recipe out; --set changes steps and learning rates');
  const again = options.resume ? openResumed(folder, resumeOptions(options)) : undefined;
  const source = options.from === undefined ? undefined : openOrigin(options.from, options);
  const settings = again?.settings ?? newSettings(options, source);
  checkClipStage(options.stage, settings);
  if (options.sheetsEvery !== undefined && options.sheets === undefined)
    throw new UserError('--sheets-every says how often sheets are drawn: add --sheets');
  const sheets = sheetChoice(options.sheets, settings);
  if (!again) RunDirectory.assertFree(folder);
  if (options.lpips !== undefined) checkLpips(options.lpips, settings);
  const names = chosenStages(options, settings);
  return { settings, names, sheets, resumed: again?.run, source, notes: again?.notes ?? [] };
}

/**
 * The settings with as many steps as pictures and options call for, and a sentence about the lengths that the pictures
 * have changed. A resumed run has its steps already, and one that starts from a model those of the model.
 * @param dim width of the CLIP's embeddings.
 */
async function withLengths(
  { settings, names, resumed, source }: WantedTraining,
  dim: number,
  options: TrainCommandOptions,
  ranks: Ranks,
): Promise<{ readonly settings: RunSettings; readonly about?: string | undefined }> {
  if (resumed) return { settings };
  const suited = source ? undefined : await lead(ranks, () => suitedLengths(settings, options));
  return {
    settings: await lead(ranks, () => fitted(suited?.settings ?? settings, names, dim, options)),
    about: suited?.note,
  };
}

/** The run directory, which rank 0 makes, or changes to these settings. */
async function begun(
  folder: string,
  { resumed, source }: WantedTraining,
  settings: RunSettings,
  ranks: Ranks,
): Promise<RunDirectory> {
  const begin = () => (source ? createFrom(source, folder, settings) : RunDirectory.create(folder, settings));
  const own = await onlyFirst(ranks, () => resumed?.changed(settings) ?? begin());
  return own ?? RunDirectory.joined(folder, settings);
}

/** What was trained, how long it took, what to look out for, and what to do next. */
function printTrained(
  run: RunDirectory,
  { seconds, hasTrained, clip }: Trained,
  names: readonly StageName[],
  few: string | undefined,
  json: boolean,
): void {
  const peakBytes = peakResidentBytes();
  const fault = clip && clipFault(clip);
  const warnings = [fault, clip && clipDoubt(clip), clip && clipOverfitting(clip), few].flatMap((text) => text ?? []);
  printResult(json, { run: run.path, seconds, peakBytes, warnings, ...(clip && { clip }) }, () => [
    ...(clip ? clipLines(clip) : []),
    ...warnings,
    hasTrained
      ? `Trained ${run.path} in ${duration(Object.values(seconds).reduce((a, b) => a + b, 0))}, in at most ${sizeText(peakBytes)} of memory.`
      : `Nothing was left to train in ${run.path}: --longer 2x trains it further`,
    nextStep(run, names, fault),
  ]);
}

const heldOutLine = ({ heldOut, source }: Pictures): string =>
  `${heldOut.size} of ${source.size + heldOut.size} pictures are held out for clipvq evaluate and reconstruct (--set pictures.holdOut=0: train on all)`;

/** What to do with what was trained. */
function nextStep(run: RunDirectory, names: readonly StageName[], fault: string | undefined): string {
  const isClipAlone = names.every((name) => stages[name].sees === 'pairs');
  if (isClipAlone && fault !== undefined)
    return 'It is of no use yet: give it more captioned pictures, or longer (--resume --stage clip --longer 2x) if it has not learned its own';
  if (isClipAlone) return `Use it: clipvq train --data <pictures> --clip ${run.clipFolder} --run <dir>`;
  if (!run.hasModel('tokenizer') || !run.hasModel('diffusion')) return `Go on: clipvq train --run ${run.path} --resume`;
  if (!isMadeFrom(run, run.denoiserStage))
    return `The diffusion model belongs to earlier models: clipvq train --run ${run.path} --resume --changed restart trains it anew`;
  return `Try it: clipvq generate --model ${run.path} "a prompt"`;
}

function clipLines({ heldOut, retrieval, zeroShot }: ClipReport): string[] {
  const { among, imageToText, textToImage } = retrieval;
  // Among five, all are among the five nearest.
  const nearest = ([1, 5, 10] as const).filter((places) => places === 1 || places < among);
  const recall = ({ at1, at5, at10 }: Recall) =>
    [at1, at5, at10]
      .slice(0, nearest.length)
      .map((share) => percent(share))
      .join(', ');
  const places = nearest.map((count) => (count === 1 ? 'the nearest' : `among the ${count} nearest`)).join(', ');
  return [
    `CLIP on ${heldOut} held-out pairs, ${among} at a time: a picture's text is ${places}: ${recall(imageToText)}; a text's picture: ${recall(textToImage)} (guessing: ${nearest.map((count) => percent(count / among)).join(', ')})`,
    ...(zeroShot
      ? [`Zero-shot: ${percent(zeroShot.accuracy, 1)} of them find their text among all ${zeroShot.classes}`]
      : []),
  ];
}
