/** `clipvq evaluate --report`: everything that can be measured of a model, as a page, a JSON file and lines. */

import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { makeFolder, writeFileAtomic } from '../checkpoint/atomic.ts';
import { openEmbedder } from '../clip/embedder.ts';
import type { HubOptions } from '../clip/hub.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import type { EngineOptions } from '../engine/engine.ts';
import { perceptualDistances } from '../evaluation/perceptual-distance.ts';
import {
  copyReport,
  promptReport,
  type Report,
  reconstructionReport,
  type SetReport,
  setReport,
} from '../evaluation/report.ts';
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

export const protocols = ['ffhq', 'coco'] as const;
export type Protocol = (typeof protocols)[number];

/**
 * What the published protocols set: candidates for each picture, pictures a prompt, and what stands before a prompt.
 */
const PROTOCOLS: Readonly<Record<Protocol, { bestOf: number; count: number; prefix: string; prompts: string }>> = {
  ffhq: { bestOf: 16, count: 1, prefix: 'a photograph of ', prompts: 'the 64 prompts of clip2latent' },
  coco: { bestOf: 1, count: 1, prefix: '', prompts: 'captions of COCO val2014' },
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
  /** Real pictures. */
  readonly images: readonly RgbImage[];
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
  const { run, generator, images, prompts, display } = evaluated;
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
    reconstruction,
    prompts: undefined,
    set: undefined,
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
    ...(report.set?.caution === undefined ? [] : [report.set.caution]),
    `Report: ${page}`,
  ]);
}

/** The parts of a report that are about generated pictures; the sheets are added to `pictures`. */
async function measurePrompts(
  evaluated: Evaluated,
  options: ReportOptions,
  pictures: ReportPicture[],
): Promise<Pick<Report, 'prompts' | 'set' | 'copies'>> {
  const { generator, images, areUnseen, prompts, signal, display } = evaluated;
  const { clip } = generator;
  const { seed, count, bestOf = 1, judge, offline } = options;
  const made = await generator.generate(prompts, {
    ...{ count, bestOf, seed, signal },
    onProgress: display.count('sampling'),
  });
  pictures.push(await madeSheet(made, prompts));
  const features = await clip.embedImages(made.map(({ image }) => image));
  const real = await clip.embedImages(images);
  const independent =
    judge === undefined ? undefined : { name: judge, clip: await openJudge(judge, clip.id, { offline, signal }) };
  try {
    const prefix = generator.recipe.sampling.promptPrefix;
    const texts = prompts.map((prompt) => prefix + prompt);
    const promptOf = made.map(({ prompt }) => prompts.indexOf(prompt));
    const report = await promptReport(made, promptOf, texts, { clip, features, bestOf, independent });
    const set: SetReport | undefined = setReport(features, real, clip.dim, 'the CLIP that conditions');
    if (!set) note('Too few pictures for distances between sets: give at least 8 of either (-n, --count)');
    const copies = areUnseen ? await copiesOf(evaluated, options, made, { features, real }, pictures) : undefined;
    if (!copies) note('Whether it copies is not tested: the pictures of --data are those that it was trained on');
    return { prompts: report, set, copies };
  } finally {
    await independent?.clip.close();
  }
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
async function openJudge(name: string, conditioning: string, options: Pick<HubOptions, 'offline' | 'signal'>) {
  const clip = await openEmbedder(name, options);
  if (clip.id !== conditioning) return clip;
  await clip.close();
  throw new UserError(`--judge ${name} is the CLIP that the model was trained with: name another one`);
}

/** C_T against pictures of the run's training, spread evenly over all of them. */
async function copiesOf(
  { run, generator, signal, display }: Evaluated,
  { trainingPictures }: ReportOptions,
  made: readonly GeneratedImage[],
  { features, real }: { readonly features: Float32Array; readonly real: Float32Array },
  pictures: ReportPicture[],
) {
  const { clip, recipe } = generator;
  const { source } = await openPictures(run.settings, { signal, display }, run);
  const count = Math.min(trainingPictures, source.size);
  const indices = Array.from({ length: count }, (_, i) => Math.floor((i * source.size) / count));
  const training: RgbImage[] = [];
  for (const index of indices) {
    signal.throwIfAborted();
    training.push(await source.read(index, recipe.imageSize));
  }
  const report = copyReport(features, real, await clip.embedImages(training), clip.dim);
  pictures.push({
    title: 'Nearest to training pictures',
    text: `The generated pictures that lie nearest to one of ${count} training pictures, and that one.`,
    png: await contactSheet({
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
