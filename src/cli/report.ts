/** `clipvq evaluate --report`: everything that can be measured of a model, as a page, a JSON file and lines. */

import path from 'node:path';
import type { RgbImage } from '../data/pictures/image.ts';
import { clipScoreCost } from '../evaluation/clip-score.ts';
import { memorisationCost } from '../evaluation/memorisation.ts';
import { clipNetwork, type FeatureNetwork } from '../evaluation/networks/network.ts';
import {
  type CopyReport,
  copyReport,
  promptReport,
  type Report,
  reconstructionReport,
  type SetFeatures,
  type SetReport,
  setCost,
  setReport,
} from '../evaluation/report.ts';
import { type ReportPicture, reportHtml, reportLines } from '../evaluation/report-html.ts';
import { makeFolder } from '../files/atomic.ts';
import type { GeneratedImage, Generator } from '../generation/generator.ts';
import { contactSheet, type SheetRow } from '../render/sheet.ts';
import type { RunDirectory } from '../run/directory.ts';
import { openPictures } from '../training/pictures/pictures.ts';
import { readLogged } from '../training/reports/curves.ts';
import { drawCurves } from '../training/reports/curves-chart.ts';
import { writeKeeping } from './keeping.ts';
import { note, printResult } from './output.ts';
import type { ProgressDisplay } from './progress.ts';
import { currentRanks } from './rank.ts';
import type { Instruments } from './report-networks.ts';
import { drawCandidates, type Features, featuresOf, type RealPictures, setFeatures, shown } from './report-sets.ts';

export interface ReportOptions {
  /** The folder that the report is written into. */
  readonly report: string;
  /** Candidates for each picture, of which the best is kept. */
  readonly bestOf?: number | undefined;
  /** How many pictures of training are searched for copies. */
  readonly trainingPictures: number;
  /** Real pictures that sets are compared with; by default as many as are made, and at least `pictures`. */
  readonly real?: number | undefined;
  readonly seed: number;
  /** Pictures a prompt. */
  readonly count: number;
  readonly json?: boolean | undefined;
}

export interface Evaluated {
  readonly run: RunDirectory;
  readonly generator: Generator;
  readonly instruments: Instruments;
  /** The pictures of its training, where the run, or what --data names for an exported one, says which they are. */
  readonly learned: string | undefined;
  /** Real pictures, of which the first `pictures` are reconstructed. */
  readonly pictures: RealPictures;
  readonly reconstructed: number;
  /** Whether the model has not been trained on them: only then copying can be measured. */
  readonly areUnseen: boolean;
  readonly prompts: readonly string[];
  readonly signal: AbortSignal;
  readonly display: ProgressDisplay;
}

/** Pictures on a sheet: rows of prompts, and pictures a row. */
const [MOST_ROWS, MOST_COLUMNS] = [12, 6];

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
    evaluated.instruments.lpips,
    untilAborted(signal, display.count('reconstructions')),
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
  writeKeeping(page, reportHtml(report, pictures));
  writeKeeping(numbers, `${JSON.stringify({ ...report, features: clip.id }, null, 2)}\n`);
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
  const { generator, prompts, signal, display } = evaluated;
  const { clip } = generator;
  const { second, networks } = evaluated.instruments;
  const { seed, count, bestOf = 1 } = options;
  const { best, firsts } = await drawCandidates(generator, prompts, { count, bestOf, seed, signal }, display);
  sheets.push(await madeSheet(best, prompts));
  const features = await featuresOfSets(evaluated, options, networks, best);
  const [own, seconds] = features.made;
  const independent = second && {
    ...second,
    features: seconds!.rows,
    firsts: bestOf > 1 ? await featuresOfFirsts(networks[1]!, firsts, evaluated) : seconds!.rows,
  };
  const compared = setFeatures(networks, features);
  const total = compared.reduce((sum, set) => sum + setCost(set), clipScoreCost(best.length, prompts.length, clip.dim));
  const carry = shown(display, 'distances', total, signal);
  const prefix = generator.recipe.sampling.promptPrefix;
  const report = await promptReport(
    best,
    best.map(({ prompt }) => prompts.indexOf(prompt)),
    prompts.map((prompt) => prefix + prompt),
    { clip, features: own!.rows, bestOf, independent, carry },
  );
  const sets: SetReport[] = [];
  for (const one of compared) {
    const set = await carry(setReport(one));
    if (set) sets.push(set);
  }
  display.end();
  if (sets.length === 0) note('Too few pictures for distances between sets: give at least 8 of either (-n, --count)');
  const copies = await copiesOf(evaluated, options, best, compared[0]!, sheets);
  return { prompts: report, sets, copies };
}

/** Features of the generated pictures, of real ones and, where there are more, of as many others. */
async function featuresOfSets(
  { pictures, reconstructed, signal, display }: Evaluated,
  options: ReportOptions,
  networks: readonly FeatureNetwork[],
  best: readonly GeneratedImage[],
): Promise<{ readonly made: Features; readonly real: Features; readonly others: Features | undefined }> {
  const counted = (what: string) => untilAborted(signal, display.count(`features of ${what}`));
  const made = await featuresOf(
    networks,
    best.length,
    (from, to) => best.slice(from, to).map(({ image }) => image),
    counted('generated pictures'),
  );
  const wanted = realWanted(best.length, reconstructed, options.real);
  const reading = (start: number, what: string) =>
    featuresOf(
      networks,
      Math.max(0, Math.min(wanted, pictures.size - start)),
      (from, to) => pictures.read(start + from, start + to, signal),
      counted(what),
    );
  const real = await reading(0, 'real pictures');
  return { made, real, others: pictures.size > wanted ? await reading(wanted, 'other real pictures') : undefined };
}

/** Features of the first candidate of each picture, [pictures, dim]. */
async function featuresOfFirsts(
  network: FeatureNetwork,
  firsts: readonly RgbImage[],
  { signal, display }: Evaluated,
): Promise<Float32Array> {
  const onProgress = untilAborted(signal, display.count('first candidates'));
  const read = (from: number, to: number) => firsts.slice(from, to);
  const [features] = await featuresOf([network], firsts.length, read, onProgress);
  return features!.rows;
}

/** C_T against pictures of the run's training, spread evenly over all of them; undefined where it means nothing. */
async function copiesOf(
  { run, learned, areUnseen, generator, signal, display }: Evaluated,
  { trainingPictures }: ReportOptions,
  made: readonly GeneratedImage[],
  { made: features, real }: Pick<SetFeatures, 'made' | 'real'>,
  pictures: ReportPicture[],
): Promise<CopyReport | undefined> {
  if (!areUnseen || learned === undefined) {
    note(
      `Whether it copies is not tested: ${areUnseen ? 'the model does not say what it was trained on' : 'the pictures of --data are those that it was trained on'}`,
    );
    return undefined;
  }
  const { clip, recipe } = generator;
  const settings = { ...run.settings, data: learned };
  const { source } = await openPictures(settings, { signal, display }, run);
  const count = Math.min(trainingPictures, source.size);
  const indices = Array.from({ length: count }, (_, i) => Math.floor((i * source.size) / count));
  const read = async (of: readonly number[]) => {
    const images: RgbImage[] = [];
    for (const index of of) {
      signal.throwIfAborted();
      images.push(await source.read(index, recipe.imageSize));
    }
    return images;
  };
  const network = clipNetwork('the CLIP that conditions', clip);
  const onProgress = display.count('features of training pictures');
  const [training] = await featuresOf([network], count, (from, to) => read(indices.slice(from, to)), onProgress);
  const cost = memorisationCost(made.length, real.length / clip.dim, count, clip.dim);
  const carry = shown(display, 'copies', cost, signal);
  const report = await copyReport(features, real, training!.rows, clip.dim, carry);
  display.end();
  const originals = await read(report.nearest.map((one) => indices[one.training]!));
  pictures.push({
    title: 'Nearest to training pictures',
    text: `The generated pictures that lie nearest to one of ${count} training pictures, the nearest first, and that one. Above them how far apart they are: 0 for equal pictures, 1.41 for embeddings at right angles.`,
    png: await contactSheet({
      columns: report.nearest.map(({ distance }) => distance.toFixed(3)),
      rows: [
        { label: 'generated', images: report.nearest.map((one) => made[one.made]!.image) },
        { label: 'of training', images: originals },
      ],
    }),
  });
  return report;
}

/** Progress that ends the work when a signal fires. */
const untilAborted =
  (signal: AbortSignal, onProgress: (done: number, total: number) => void) =>
  (done: number, total: number): void => {
    signal.throwIfAborted();
    onProgress(done, total);
  };

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
