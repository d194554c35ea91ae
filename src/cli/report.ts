/** `clipvq evaluate --report`: everything that can be measured of a model, as a page, a JSON file and lines. */

import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { makeFolder, writeFileAtomic } from '../checkpoint/atomic.ts';
import { openEmbedder } from '../clip/embedder.ts';
import type { HubOptions } from '../clip/hub.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import type { EngineOptions } from '../engine/engine.ts';
import { openDinoV2 } from '../evaluation/networks/dinov2.ts';
import { openInception } from '../evaluation/networks/inception.ts';
import { clipNetwork, type FeatureNetwork } from '../evaluation/networks/network.ts';
import { perceptualDistances } from '../evaluation/perceptual-distance.ts';
import { copyReport, promptReport, type Report, reconstructionReport } from '../evaluation/report.ts';
import { type ReportPicture, reportHtml, reportLines } from '../evaluation/report-html.ts';
import type { GeneratedImage, Generator } from '../generation/generator.ts';
import { contactSheet, type SheetRow } from '../render/sheet.ts';
import type { RunDirectory } from '../run/directory.ts';
import { readLogged } from '../training/curves.ts';
import { drawCurves } from '../training/curves-chart.ts';
import { openPictures } from '../training/pictures.ts';
import { filesIn, loadLpips } from '../vqgan/lpips-weights.ts';
import { note, printResult } from './output.ts';
import type { ProgressDisplay } from './progress.ts';
import { currentRanks } from './rank.ts';
import { drawCandidates, featuresOf, type RealPictures, setsOf } from './report-sets.ts';

export const protocols = ['ffhq', 'coco'] as const;
export type Protocol = (typeof protocols)[number];

const COCO_CAPTIONS =
  'captions of COCO val2014 (captions_val2014.json of annotations_trainval2014.zip, from cocodataset.org)';

/**
 * What the published protocols set: candidates for each picture, pictures a prompt, and what stands before a prompt.
 */
const PROTOCOLS: Readonly<Record<Protocol, { bestOf: number; count: number; prefix: string; prompts: string }>> = {
  ffhq: { bestOf: 16, count: 1, prefix: 'a photograph of ', prompts: 'the 64 prompts of clip2latent' },
  coco: { bestOf: 1, count: 1, prefix: '', prompts: COCO_CAPTIONS },
};

export interface ReportOptions {
  /** The folder that the report is written into. */
  readonly report: string;
  readonly judge?: string | undefined;
  /** A folder with weights of LPIPS. */
  readonly lpips?: string | undefined;
  readonly engineOptions: EngineOptions;
  readonly bestOf?: number | undefined;
  readonly trainingPictures: number;
  /** Real pictures that sets are compared with; by default as many as are made, and at least `pictures`. */
  readonly real?: number | undefined;
  /** Files with weights of these networks; true for those of the cache, which are fetched once. */
  readonly inception?: string | true | undefined;
  readonly dinov2?: string | true | undefined;
  readonly protocol?: Protocol | undefined;
  readonly seed: number;
  /** Pictures a prompt. */
  readonly count: number;
  readonly offline?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export interface Evaluated {
  readonly run: RunDirectory;
  readonly generator: Generator;
  /** The pictures of its training, where the run, or what --data names for an exported one, says which they are. */
  readonly learned: string | undefined;
  /** Real pictures, of which the first `pictures` are reconstructed. */
  readonly pictures: RealPictures;
  readonly reconstructed: number;
  /** Whether the model has not been trained on them: only then it can be said whether it copies. */
  readonly areUnseen: boolean;
  readonly prompts: readonly string[];
  readonly signal: AbortSignal;
  readonly display: ProgressDisplay;
}

/** Pictures on a sheet: rows of prompts, and pictures a row. */
const [MOST_ROWS, MOST_COLUMNS] = [12, 6];

/**
 * What a protocol makes of the options and prompts.
 * @throws UserError where its prompts are not named.
 */
export function underProtocol(
  { protocol, bestOf = 1, count }: Pick<ReportOptions, 'protocol' | 'bestOf' | 'count'>,
  prompts: readonly string[],
  { hasOwnPrompts, prefix }: { readonly hasOwnPrompts: boolean; readonly prefix: string },
): { readonly bestOf: number; readonly count: number; readonly prompts: readonly string[] } {
  if (protocol === undefined) return { bestOf, count, prompts };
  const { prefix: wanted, ...set } = PROTOCOLS[protocol];
  if (!hasOwnPrompts)
    throw new UserError(`--protocol ${protocol} takes ${set.prompts}: name their file with --prompts <file>`);
  // The model may put the prefix there itself.
  return {
    bestOf: set.bestOf,
    count: set.count,
    prompts: prefix === wanted ? prompts : prompts.map((p) => wanted + p),
  };
}

/** Measure, write `report.html` and `report.json`, and print the numbers. */
export async function writeReport(evaluated: Evaluated, options: ReportOptions): Promise<void> {
  const { run, generator, prompts, display, signal } = evaluated;
  const images = await evaluated.pictures.read(0, evaluated.reconstructed, signal);
  const { clip, recipe } = generator;
  const pictures: ReportPicture[] = [];
  const { report: reconstruction, back } = await reconstructionReport(
    generator,
    images,
    recipe.tokenizer.codes,
    options.lpips === undefined ? undefined : await openLpips(options.lpips, recipe.imageSize, options.engineOptions),
  );
  const shown = Array.from({ length: Math.min(MOST_COLUMNS, images.length) }, (_, i) => i);
  pictures.push({
    ...{ title: 'Reconstructions', text: 'Pictures, and what the tokenizer makes of them.' },
    png: await contactSheet({
      rows: [
        { label: 'pictures', images: shown.map((i) => images[i]!) },
        { label: 'through the tokenizer', images: shown.map((i) => back[i]!) },
      ],
    }),
  });
  const measured = prompts.length > 0 ? await measurePrompts(evaluated, options, pictures) : undefined;
  const report: Report = {
    model: run.path,
    clip: clip.id,
    reconstruction,
    prompts: undefined,
    sets: [],
    copies: undefined,
    ...measured,
  };
  const curves = await drawCurves('Training', run.path, [{ name: run.path, log: readLogged(run.file('log.jsonl')) }]);
  if (curves) pictures.push({ title: 'Training', text: 'Every number of the training log.', png: curves });
  display.end();
  makeFolder(options.report);
  const [page, numbers] = ['report.html', 'report.json'].map((name) => path.join(options.report, name)) as [
    string,
    string,
  ];
  // Of several ranks the first writes.
  if (currentRanks().rank !== 0) return;
  writeFileAtomic(page, reportHtml(report, pictures));
  writeFileAtomic(numbers, `${JSON.stringify({ ...report, features: clip.id }, null, 2)}\n`);
  printResult(options.json ?? false, { ...report, files: [page, numbers] }, () => [
    ...reportLines(report),
    ...report.sets.flatMap(({ caution }) => caution ?? []),
    `Report: ${page}`,
  ]);
}

/** Real pictures that are read for sets at most, where their number is not set. */
const MOST_REAL = 5000;

/**
 * Real pictures that the sets of a report take; twice as many are looked for, so that they can be compared in halves.
 */
export const realWanted = (made: number, pictures: number, real?: number): number =>
  real ?? Math.min(MOST_REAL, Math.max(made, pictures));

/** The parts of a report that are about generated pictures; the sheets are added to `sheets`. */
async function measurePrompts(
  evaluated: Evaluated,
  options: ReportOptions,
  sheets: ReportPicture[],
): Promise<Pick<Report, 'prompts' | 'sets' | 'copies'>> {
  const { generator, areUnseen, prompts, signal, display, pictures } = evaluated;
  const { clip } = generator;
  const { seed, count, bestOf = 1, judge, offline } = options;
  const judging =
    judge === undefined ? undefined : { name: judge, clip: await openJudge(judge, clip.id, { offline, signal }) };
  const networks = [clipNetwork('the CLIP that conditions', clip)];
  if (judging) networks.push(clipNetwork(judging.name, judging.clip));
  try {
    await openNetworks(networks, options, signal, display);
    const { best, firsts } = await drawCandidates(generator, prompts, { count, bestOf, seed, signal }, display);
    sheets.push(await madeSheet(best, prompts));
    const made = await featuresOf(
      networks,
      best.length,
      (from, to) => best.slice(from, to).map(({ image }) => image),
      display.count('features of generated pictures'),
    );
    const wanted = realWanted(best.length, evaluated.reconstructed, options.real);
    const reading = (start: number, what: string) =>
      featuresOf(
        networks,
        Math.max(0, Math.min(wanted, pictures.size - start)),
        (from, to) => pictures.read(start + from, start + to, signal),
        display.count(what),
      );
    const real = await reading(0, 'features of real pictures');
    const others = pictures.size > wanted ? await reading(wanted, 'features of other real pictures') : undefined;
    display.end();
    const prefix = generator.recipe.sampling.promptPrefix;
    const texts = prompts.map((prompt) => prefix + prompt);
    const promptOf = best.map(({ prompt }) => prompts.indexOf(prompt));
    const independent = judging && {
      ...judging,
      features: made[1]!.rows,
      firsts: bestOf > 1 ? await judging.clip.embedImages(firsts) : made[1]!.rows,
    };
    const report = await promptReport(best, promptOf, texts, { clip, features: made[0]!.rows, bestOf, independent });
    const sets = setsOf(networks, made, real, others);
    if (sets.length === 0) note('Too few pictures for distances between sets: give at least 8 of either (-n, --count)');
    const features = { features: made[0]!.rows, real: real[0]!.rows };
    const copies =
      areUnseen && evaluated.learned !== undefined
        ? await copiesOf(evaluated, options, best, features, sheets)
        : undefined;
    if (!copies)
      note(
        `Whether it copies is not tested: ${areUnseen ? 'the model does not say what it was trained on' : 'the pictures of --data are those that it was trained on'}`,
      );
    return { prompts: report, sets, copies };
  } finally {
    for (const network of networks) await network.close();
    await judging?.clip.close();
  }
}

/** The networks of FID and FD-DINOv2, where they are wanted, after those that are there; weights are fetched once. */
async function openNetworks(
  networks: FeatureNetwork[],
  { inception, dinov2, offline, engineOptions }: ReportOptions,
  signal: AbortSignal,
  display: ProgressDisplay,
): Promise<void> {
  const source = (name: string, file: string | true) => {
    const megabytes = display.count(`fetching ${name}, MB`);
    const onProgress = (done: number, total: number) => megabytes(Math.round(done / 1e6), Math.ceil(total / 1e6));
    return { file: file === true ? undefined : file, offline, signal, onProgress };
  };
  if (inception !== undefined) networks.push(await openInception(engineOptions, source('Inception', inception)));
  if (dinov2 !== undefined) networks.push(await openDinoV2(engineOptions, source('DINOv2', dinov2)));
}

/** LPIPS over the network whose weights a folder holds, the one that most papers report first. */
async function openLpips(folder: string, side: number, engineOptions: EngineOptions) {
  if (side < 32)
    throw new UserError(`LPIPS takes pictures of 32 pixels, and the model makes ${side}: leave --lpips out`);
  const net = (['alex', 'squeeze', 'vgg'] as const).find((name) => hasLpips(folder, name)) ?? 'vgg';
  const weights = await loadLpips(net, { folder });
  return {
    net,
    distances: (a: readonly RgbImage[], b: readonly RgbImage[]) => perceptualDistances(weights, a, b, engineOptions),
  };
}

function hasLpips(folder: string, net: 'alex' | 'squeeze' | 'vgg'): boolean {
  try {
    filesIn(folder, net);
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

/** @throws UserError if it cannot be opened, or is the CLIP that conditions. */
export async function openJudge(name: string, conditioning: string, options: Pick<HubOptions, 'offline' | 'signal'>) {
  const clip = await openEmbedder(name, options);
  if (clip.id !== conditioning) return clip;
  await clip.close();
  throw new UserError(`--judge ${name} is the CLIP that the model was trained with: name another one`);
}

/** C_T against pictures of the run's training, spread evenly over all of them. */
async function copiesOf(
  { run, learned, generator, signal, display }: Evaluated,
  { trainingPictures }: ReportOptions,
  made: readonly GeneratedImage[],
  { features, real }: { readonly features: Float32Array; readonly real: Float32Array },
  pictures: ReportPicture[],
) {
  const { clip, recipe } = generator;
  const settings = { ...run.settings, data: learned ?? run.settings.data };
  const { source } = await openPictures(settings, { signal, display }, run);
  const count = Math.min(trainingPictures, source.size);
  const indices = Array.from({ length: count }, (_, i) => Math.floor((i * source.size) / count));
  const training: RgbImage[] = [];
  for (const index of indices) {
    signal.throwIfAborted();
    training.push(await source.read(index, recipe.imageSize));
  }
  const report = await copyReport(features, real, await clip.embedImages(training), clip.dim);
  pictures.push({
    title: 'Nearest to training pictures',
    text: `The generated pictures that lie nearest to one of ${count} training pictures, the nearest first, and that one. Above them how far apart they are: 0 for equal pictures, 1.41 for embeddings at right angles.`,
    png: await contactSheet({
      columns: report.nearest.map(({ distance }) => distance.toFixed(3)),
      rows: [
        { label: 'generated', images: report.nearest.map((one) => made[one.made]!.image) },
        { label: 'of training', images: report.nearest.map((one) => training[one.training]!) },
      ],
    }),
  });
  return report;
}

async function madeSheet(made: readonly GeneratedImage[], prompts: readonly string[]): Promise<ReportPicture> {
  const rows = prompts.slice(0, MOST_ROWS).map((label): SheetRow => {
    const own = made.filter(({ prompt }) => prompt === label).slice(0, MOST_COLUMNS);
    return { label, note: `CLIP ${(own[0]?.clipScore ?? 0).toFixed(3)}`, images: own.map(({ image }) => image) };
  });
  return {
    title: 'Pictures',
    text: 'Made for prompts, in the order of their seeds.',
    png: await contactSheet({ rows }),
  };
}
