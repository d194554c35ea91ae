/** `clipvq train`: from a folder of pictures to a run directory that generates. */

import { Command, Option } from 'commander';
import { UserError } from '../base/errors.ts';
import { estimateTraining } from '../bench/estimate.ts';
import { measureSteps } from '../bench/measured.ts';
import { machineSpeed } from '../bench/speed.ts';
import { isToBeFetched } from '../clip/clip-source.ts';
import { openEmbedder } from '../clip/embedder.ts';
import { type ClipReport, clipFault, clipOverfitting } from '../clip/report.ts';
import type { Recall } from '../clip/retrieval.ts';

import { SHIPPED } from '../clip/shipped.ts';
import { hasPairs, isPairsFile, readPairs } from '../data/sources/pairs.ts';
import { peakResidentBytes, sizeText } from '../engine/memory/resident.ts';
import { lead } from '../mpi/ranks.ts';
import { presets } from '../recipe/recipe.ts';
import { RunDirectory, type RunSettings } from '../run/directory.ts';
import { isMadeFrom } from '../run/lineage.ts';
import { createFrom, settingsFrom } from '../run/origin.ts';
import { holdingOut } from '../training/held-out.ts';
import { openPicturesOnRanks, type Pictures } from '../training/pictures.ts';
import { trainPipeline } from '../training/pipeline.ts';
import { openResumed } from '../training/resumed.ts';
import type { SheetChoice } from '../training/sheets.ts';
import { type StageName, stageNames, stages, stagesOf } from '../training/stages.ts';
import { absolute, DEFAULT_CLIP } from '../training/train.ts';
import { filesIn } from '../vqgan/lpips-weights.ts';
import { recipeOf } from './choose-recipe.ts';
import { estimateLines, picturesToRead } from './estimate.ts';
import { facePrompts } from './face-prompts.ts';
import { checkAccumulate, checkLimit, checkMemory, type MemoryOptions } from './memory.ts';
import {
  assignment,
  between,
  type CommonOptions,
  changedOption,
  engineOptions,
  memorySize,
  whole,
  withCommon,
} from './options.ts';
import { interruptSignal, note, printResult } from './output.ts';
import { pictureSettings } from './picture-options.ts';
import { type ProfileOptions, profiled, withProfile } from './profile.ts';
import { duration, ProgressDisplay } from './progress.ts';
import { readPrompts } from './prompts.ts';
import { currentRanks } from './rank.ts';
import { checkLengths, fitted, isWholeLength, type LengthOptions, suitedLengths, suitedLines } from './run-length.ts';
import { checkClipStage, fewPictures } from './sense.ts';
import { settingsHelp } from './settings-help.ts';

interface TrainCommandOptions extends CommonOptions, ProfileOptions, MemoryOptions, LengthOptions {
  readonly data?: string;
  readonly run?: string;
  readonly from?: string;
  readonly preset?: string;
  readonly recipe?: string;
  readonly stage: StageName | 'all';
  readonly clip?: string;
  readonly set?: Readonly<Record<string, string>>;
  readonly exclude?: string;
  readonly maxPixels?: number;
  readonly seed?: number;
  readonly checkpointEvery: number;
  readonly hashEvery?: number;
  readonly sheets?: string | true;
  readonly sheetsEvery?: number;
  readonly estimate?: boolean;
  readonly lpips?: string;
  readonly offline?: boolean;
}

export function trainCommand(): Command {
  const command = new Command('train')
    .description('train a model on a folder of pictures')
    .option(
      '--data <pictures>',
      'a folder, .zip, .tar or Parquet file of pictures; faces (drawn) or fashion-mnist; with --stage clip also pairs.jsonl',
    )
    .option('--run <dir>', 'where to keep the run; a run directory is a model')
    .option('--from <dir>', 'start from the weights and settings of this model (trained or converted)')
    .option('--preset <name>', `sizes and lengths to start from: ${Object.keys(presets).join(', ')} (default: nano)`)
    .option(
      '--recipe <file>',
      'settings in a YAML or JSON file, instead of --preset; clipvq recipe prints one to start from, --set goes over it',
    )
    .addOption(new Option('--stage <name>', 'train one stage only').choices([...stageNames, 'all']).default('all'))
    .option(
      '--clip <compact|shipped|folder|hub name>',
      'the CLIP to learn from; shipped is one of drawn faces (default: compact for faces, Xenova/clip-vit-base-patch32 for folders)',
    )
    .option('--exclude <file>', 'leave out the pictures that this file names, one a line; * stands for anything')
    .option(
      '--max-pixels <megapixels>',
      'leave out larger pictures; the same as --set pictures.maxPixels',
      between(0.01, 1000),
    )
    .option('--set <key=value>', 'change a setting; repeatable', assignment)
    .option('--seed <n>', 'seed of everything random (default: 0)', whole(0))
    .option(
      '--accumulate <n>',
      'compute a batch in n parts (one of fewer pictures, each for itself): less memory, the same gradients',
      whole(1),
    )
    .option(
      '--memory <size>',
      'stay under so much memory of the process (1500M, 4G): batches are computed in as many parts as that takes',
      memorySize,
    )
    .option('--max-steps <n>', 'no stage longer than this many steps in all; schedules end there', whole(1))
    .option('--minutes <m>', 'about how long training may take: all stages are made to fit', between(0.05, 1e6))
    .option('--steps-scale <x>', 'all stages so many times as long as the preset has them', between(0.001, 1000))
    .addOption(new Option('--checkpoint-every <n>', 'steps between checkpoints').argParser(whole(1)).default(500))
    .option(
      '--sheets [file|0]',
      'eight times a stage and at its end draw a sheet into samples/, named by step: reconstructions, and pictures for the prompts of the file (else of the demo for faces, or like some of the pictures); without it smaller ones at quarters of stages of more than ten minutes, and none with 0',
    )
    .option('--sheets-every <n>', 'with --sheets: steps between sheets of a stage; 0 is at its end only', whole(0))
    .option(
      '--hash-every <n>',
      'steps between hashes of weights and moments in metrics.jsonl, which show that two runs are the same; 0 is never (default: as --checkpoint-every)',
      whole(0),
    )
    .option('--lpips <dir>', 'the weights of LPIPS, for recipes that use it (default: fetched once into the cache)')
    .option('--offline', 'fetch neither a CLIP nor weights of LPIPS: use what is in the cache (also HF_HUB_OFFLINE=1)')
    .option('--resume', 'go on with the run in --run')
    .option(
      '--longer <2x|+1000|3000>',
      'with --resume: train the diffusion model (or the --stage) for so much longer; its schedule follows',
    )
    .addOption(changedOption('with --resume'))
    .option(
      '--estimate',
      'say what the run will cost on this machine, from a few steps where they are soon run, and end',
    );
  return withProfile(withCommon(command)).addHelpText('after', settingsHelp).action(train);
}

async function train(given: TrainCommandOptions): Promise<void> {
  const options = { ...given, set: { ...given.set, ...pictureSettings(given) } };
  checkLimit(options);
  if (options.estimate) return estimate(options);
  if (options.run === undefined) throw new UserError('Say where to keep the run: --run <dir>');
  return trainInto(options.run, options);
}

async function trainInto(folder: string, options: TrainCommandOptions): Promise<void> {
  const display = new ProgressDisplay();
  const signal = interruptSignal();
  const ranks = currentRanks();
  checkLengths(options);
  if (options.resume && options.recipe !== undefined)
    throw new UserError('A resumed run keeps its recipe: leave --recipe out; --set changes steps and learning rates');
  const again = options.resume ? openResumed(folder, placed(options)) : undefined;
  const resumed = again?.run;
  const source = options.from === undefined ? undefined : openSource(options.from, options);
  const wanted = again?.settings ?? newSettings(options, source);
  checkClipStage(options.stage, wanted);
  if (options.sheetsEvery !== undefined && options.sheets === undefined)
    throw new UserError('--sheets-every says how often sheets are drawn: add --sheets');
  const sheets = sheetChoice(options.sheets, wanted);
  // Whatever cannot work is found before anything is written or trained.
  if (!resumed) RunDirectory.assertFree(folder);
  if (options.lpips !== undefined) checkLpips(options.lpips, wanted);
  const names = chosenStages(options, wanted);
  // A CLIP that has to be fetched waits until the pictures are found to be in order.
  const isLater = await lead(ranks, () => isToBeFetched(wanted.clip, options));
  const width = () => lead(ranks, () => widthOf(wanted, options, signal, display));
  const dim = isLater ? DEFAULT_CLIP_DIM : await width();
  const suited = again || source ? undefined : await lead(ranks, () => suitedLengths(wanted, options));
  const settings = again ? wanted : await lead(ranks, () => fitted(suited?.settings ?? wanted, names, dim, options));
  for (const sentence of again?.notes ?? []) note(sentence);
  checkMemory(options, settings, names, dim, resumed);
  if (isPairsFile(settings.data)) readPairs(settings.data);
  const pictures = names.some((name) => stages[name].sees !== 'pairs')
    ? await openPicturesOnRanks(ranks, settings, { signal, display }, resumed)
    : undefined;
  const few = pictures && fewPictures(pictures.source.size);
  if (suited?.note !== undefined && isWholeLength(options)) note(suited.note);
  // A resumed run has shown them at its beginning.
  if (few !== undefined && !resumed) note(few);
  if (pictures && pictures.heldOut.size > 0 && !resumed) note(heldOutLine(pictures));
  if (isLater) checkMemory(options, settings, names, await width(), resumed);
  const begin = () => (source ? createFrom(source, folder, settings) : RunDirectory.create(folder, settings));
  let own: RunDirectory | undefined;
  await lead(ranks, () => {
    own = resumed?.changed(settings) ?? begin();
  });
  const run = own ?? RunDirectory.joined(folder, settings);

  const { seconds, hasTrained, clip } = await profiled(options, (engineOptions) =>
    trainPipeline({
      run,
      pictures,
      stages: names,
      engineOptions,
      ranks,
      microBatches: options.accumulate,
      memory: options.memory,
      resume: options.resume ?? false,
      checkpointEvery: options.checkpointEvery,
      hashEvery: options.hashEvery,
      sheets,
      sheetEvery: options.sheetsEvery,
      changed: options.changed,
      lpips: { folder: options.lpips, offline: options.offline },
      signal,
      display,
    }),
  );
  display.end();
  const peakBytes = peakResidentBytes();
  const fault = clip && clipFault(clip);
  const warnings = [fault, clip && clipOverfitting(clip), few].flatMap((text) => text ?? []);
  printResult(options.json ?? false, { run: run.path, seconds, peakBytes, warnings, ...(clip && { clip }) }, () => [
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
    return `The diffusion model belongs to the models of before: clipvq train --run ${run.path} --resume --changed restart trains it anew`;
  return `Try it: clipvq generate --model ${run.path} "a prompt"`;
}

function clipLines({ heldOut, retrieval, zeroShot }: ClipReport): string[] {
  const recall = ({ at1, at5, at10 }: Recall) =>
    [at1, at5, at10].map((share) => `${(100 * share).toFixed(0)} %`).join(', ');
  return [
    `CLIP on ${heldOut} held-out pairs, among ${retrieval.among}: a picture's text is the nearest, among 5, among 10: ${recall(retrieval.imageToText)}; a text's picture: ${recall(retrieval.textToImage)}`,
    ...(zeroShot
      ? [`Zero-shot: ${(100 * zeroShot.accuracy).toFixed(1)} % of them find their text among all ${zeroShot.classes}`]
      : []),
  ];
}

/** Fetch the CLIP, if it is not here yet, see that it opens, and say how wide its embeddings are. */
async function widthOf(
  { clip: model, recipe }: RunSettings,
  { offline }: TrainCommandOptions,
  signal: AbortSignal,
  display: ProgressDisplay,
): Promise<number> {
  if (model === 'compact') return recipe.clip.dim;
  const megabytes = display.count('fetching the CLIP, MB');
  const onProgress = (done: number, total: number) => megabytes(Math.round(done / 1e6), Math.ceil(total / 1e6));
  const clip = await openEmbedder(model, { offline, signal, onProgress });
  await clip.close();
  return clip.dim;
}

/** What a resumed run may change, with full paths, as a run remembers them. */
const placed = ({ stage, ...options }: TrainCommandOptions) => ({
  ...options,
  ...(stage !== 'all' && { stages: [stage] }),
  ...(options.data !== undefined && { data: absolute(options.data) }),
  ...(options.clip !== undefined && { clip: absolute(options.clip) }),
});

/** The stage that is named, or all that a run of these settings has. */
const chosenStages = ({ stage }: Pick<TrainCommandOptions, 'stage'>, settings: RunSettings): StageName[] =>
  stage === 'all' ? stagesOf(settings) : [stage];

/** `--estimate`: opens no picture and writes nothing. */
async function estimate(options: TrainCommandOptions): Promise<void> {
  const isResumed = options.resume && options.run !== undefined;
  const given = isResumed
    ? openResumed(options.run!, placed(options)).settings
    : newSettings({ data: NO_DATA, ...options }, options.from ? openSource(options.from, options) : undefined);
  const isNew = !isResumed && options.from === undefined && options.data !== undefined;
  const suited = isNew ? await suitedLengths(given, options) : undefined;
  const settings = suited?.settings ?? given;
  const names = chosenStages(options, settings).filter((name) => stages[name].isPartOf(settings));
  const isSmall = settings.clip === 'compact' || settings.clip === SHIPPED;
  const conditionDim = isSmall ? settings.recipe.clip.dim : DEFAULT_CLIP_DIM;
  const speed = await machineSpeed(engineOptions(options));
  const { accumulate, memory } = options;
  // In parts, or in little memory, a step is another one.
  const isWhole = accumulate === undefined && memory === undefined;
  const measured = isWhole
    ? await measureSteps(settings.recipe, names, conditionDim, speed, engineOptions(options))
    : undefined;
  for (const name of names) checkAccumulate(accumulate, stages[name].plan(settings.recipe, conditionDim).batch);
  const result = estimateTraining(settings.recipe, {
    stages: names,
    speed,
    pictures: await picturesToRead(options.data, settings),
    conditionDim,
    isPretrained: !isSmall,
    microBatches: accumulate,
    memory,
    measured,
  });
  const advice = suited?.pictures === undefined ? [] : suitedLines(suited, settings.recipe.preset);
  printResult(options.json ?? false, result, () => [...estimateLines(result), ...advice]);
}

/** A folder that is named for its weights must hold them, and the recipe must want them. */
function checkLpips(folder: string, { recipe }: RunSettings): void {
  const { perceptualNet, perceptualWeight } = recipe.tokenizer;
  if (perceptualWeight === 0 || perceptualNet === 'clip')
    throw new UserError(
      `The recipe has no use for LPIPS (--lpips ${folder}): add --set tokenizer.perceptualWeight=1 --set tokenizer.perceptualNet=vgg, or leave --lpips out`,
    );
  filesIn(folder, perceptualNet);
}

/** Width of the default CLIP's embeddings, and of nearly all others. */
const DEFAULT_CLIP_DIM = 512;
/** What an estimate stands in for pictures that it does not read. */
const NO_DATA = 'pictures';

/** The model whose weights a new run starts from; its settings are the run's. */
function openSource(from: string, { preset, recipe, resume }: TrainCommandOptions): RunDirectory {
  if (resume) throw new UserError('A resumed run keeps the weights it has started from: leave --from out');
  const other = preset !== undefined ? '--preset' : recipe !== undefined ? '--recipe' : undefined;
  if (other !== undefined)
    throw new UserError(`The settings come from ${from}: leave ${other} out; --set changes single ones`);
  return RunDirectory.open(from);
}

function newSettings(
  { data, preset, recipe, set, seed = 0, clip, stage }: TrainCommandOptions,
  source?: RunDirectory,
): RunSettings {
  if (data === undefined)
    throw new UserError('Name the pictures to learn from: --data <folder>, or --data faces for the built-in set');
  if (stage === 'clip') checkClipStage(stage, { data, clip: clip ?? 'compact' });
  if (source) return settingsFrom(source, { data: absolute(data), seed, clip: clip && absolute(clip), changes: set });
  const chosen = clip ?? (hasPairs(data) ? 'compact' : DEFAULT_CLIP);
  if (chosen === 'compact' && !hasPairs(data))
    throw new UserError(
      `A compact CLIP learns from captions, which ${data} does not have: name another with --clip <folder or hub name>`,
    );
  if (isPairsFile(data) && stage !== 'clip')
    throw new UserError(
      `${data} holds captioned pictures, which only a CLIP learns from: add --stage clip, or name the pictures alone with --data <folder>`,
    );
  const held = recipe === undefined ? holdingOut(data, set) : set;
  return { seed, data: absolute(data), clip: absolute(chosen), recipe: recipeOf({ preset, recipe, set: held }) };
}

/** Sheets for the prompts of a file, else for those of the demo where faces are learned; sparing ones by default. */
function sheetChoice(given: string | true | undefined, { data }: RunSettings): SheetChoice | undefined {
  if (given === '0') return undefined;
  const prompts = typeof given === 'string' ? readPrompts(given) : data === 'faces' ? facePrompts : [];
  return { prompts, isSparing: given === undefined };
}
