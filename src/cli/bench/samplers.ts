/** `clipvq bench samplers`: quality against steps and seconds, for each sampler, on a trained model. */

import path from 'node:path';
import { Command } from 'commander';
import { UserError } from '../../base/errors.ts';
import { benchSamplers, type Trial } from '../../bench/sampler-bench.ts';
import { openSource } from '../../data/sources/open.ts';
import { Engine } from '../../engine/engine.ts';
import {
  type FaceClassifier,
  faceRequests,
  openFaceClassifier,
  type Request,
} from '../../evaluation/classifier/face-classifier.ts';
import { writeFileAtomic } from '../../files/atomic.ts';
import { cacheFolder } from '../../files/cache-folder.ts';
import type { Generator } from '../../generation/generator.ts';
import { firstAlone } from '../../mpi/ranks.ts';
import type { Recipe } from '../../recipe/schema.ts';
import { RunDirectory } from '../../run/directory.ts';
import { HELD_OUT_FACES_OFFSET } from '../../training/pictures/pictures.ts';
import { openGenerator } from '../open-generator.ts';
import { type CommonOptions, engineOptions, whole, withCommon } from '../options.ts';
import { interruptSignal, note, printResult } from '../output.ts';
import { percent } from '../percent.ts';
import { ProgressDisplay } from '../progress.ts';
import { readPrompts } from '../prompts.ts';
import { currentRanks } from '../rank.ts';
import { pointsChart, pointsTable } from './sampler-report.ts';
import { type TrialOptions, trialsOf, withTrials } from './sampler-trials.ts';

interface Options extends CommonOptions, TrialOptions {
  readonly model: string;
  readonly pictures: number;
  readonly first: number;
  readonly seed: number;
  readonly prompts?: string;
  readonly out?: string;
}

export function benchSamplersCommand(): Command {
  const command = new Command('samplers')
    .description('quality of each sampler against its network passes, picture by picture beside a reference')
    .requiredOption('--model <dir>', 'a run directory')
    .option('--pictures <n>', 'pictures for each point', whole(16), 512)
    .option('--first <n>', 'leave out this many prompts and seeds, to confirm a choice on others', whole(0), 0)
    .option('--seed <n>', 'seed of the first picture', whole(0), 0)
    .option('--prompts <file>', 'for models of other pictures than faces: prompts, one a line')
    .option('--out <dir>', 'where finished pictures (as numbers) and the plot are kept (default: <model>/samplers)');
  return withCommon(withTrials(command)).action(run);
}

async function run(options: Options): Promise<void> {
  const signal = interruptSignal();
  const display = new ProgressDisplay();
  const model = RunDirectory.open(options.model);
  const opening = { engineOptions: engineOptions(options), ranks: currentRanks(), signal, display };
  const generator = await openGenerator(model, opening);
  const engine = Engine.start(engineOptions(options));
  try {
    const trials = trialsOf(options, generator, note);
    const { first, pictures } = options;
    const isFaces = model.settings.data === 'faces' && options.prompts === undefined;
    const requests = requestsOf(options, isFaces);
    note(planOf(trials, pictures, isFaces));
    if (!isFaces)
      note(
        'A classifier needs pictures whose attributes are known, which only faces are: Fréchet distance and CLIP score alone.',
      );
    const classifier = isFaces ? await faceClassifier(engine, generator.recipe, signal, display) : undefined;
    const real = await realFeatures(generator, model.settings, pictures, signal, display);
    const folder = options.out ?? path.join(options.model, 'samplers');
    let sampling = display.count('sampling');
    const points = await benchSamplers(trials, {
      ...{ generator, requests, classifier, real, seed: options.seed + first, folder, signal, ranks: currentRanks() },
      onTrial: (trial, done, all) => {
        display.note(`${done + 1}/${all}: ${trial.name}, ${trial.sampling.steps} steps`);
        sampling = display.count('sampling');
      },
      onProgress: (done, all) => sampling(done, all),
    });
    display.end();
    const plot = path.join(folder, 'samplers.png');
    if (currentRanks().rank === 0) writeFileAtomic(plot, await pointsChart(points, { pictures }));
    const accuracy = classifier?.accuracy;
    const result = { model: options.model, pictures, first, seed: options.seed, classifier: accuracy, points, plot };
    printResult(options.json ?? false, result, () => [
      ...(accuracy ? [accuracyLine(accuracy), ''] : []),
      ...pointsTable(points),
      '',
      `Plot: ${plot}`,
    ]);
  } finally {
    await Promise.all([generator.close(), engine.close()]);
  }
}

/** Prompts, of faces with the attributes that they name; the first ones are left out. */
function requestsOf(options: Options, isFaces: boolean): Request[] {
  const { first, pictures } = options;
  const all = isFaces ? faceRequests(first + pictures) : repeated(promptsOf(options), first + pictures);
  return all.slice(first);
}

/** The classifier of drawn faces at the model's size; of several ranks the first trains it. */
const faceClassifier = (
  engine: Engine,
  { imageSize }: Pick<Recipe, 'imageSize'>,
  signal: AbortSignal,
  display: ProgressDisplay,
): Promise<FaceClassifier> =>
  firstAlone(currentRanks(), () =>
    openFaceClassifier({ engine, imageSize, folder: cacheFolder(), signal, count: (what) => display.count(what) }),
  );

const accuracyLine = (accuracy: FaceClassifier['accuracy']): string =>
  `Classifier, right on drawn faces: ${Object.entries(accuracy)
    .map(([name, share]) => `${name} ${percent(share, 1)}`)
    .join(', ')}`;

/** What will be done, printed before any of it. */
function planOf(trials: readonly Trial[], pictures: number, isFaces: boolean): string {
  const steps = trials.reduce((sum, { sampling }) => sum + sampling.steps, 0);
  const first = isFaces ? 'A classifier is trained on drawn faces first, once for this machine, in minutes. ' : '';
  return `${first}${trials.length} trials of ${pictures} pictures: ${steps * pictures} sampling steps in all, less those that are kept from before.`;
}

function promptsOf({ prompts }: Options): string[] {
  if (prompts === undefined) throw new UserError('This model is not of faces: name prompts with --prompts <file>');
  return readPrompts(prompts);
}

const repeated = (prompts: readonly string[], count: number) =>
  Array.from({ length: count }, (_, i) => ({ prompt: prompts[i % prompts.length]!, attributes: {} }));

/** CLIP features of pictures like those the model learned from; of faces, such that it has not seen. */
async function realFeatures(
  generator: Generator,
  { data, seed, recipe }: RunDirectory['settings'],
  pictures: number,
  signal: AbortSignal,
  display: ProgressDisplay,
): Promise<Float32Array> {
  const count = Math.max(1000, 2 * pictures);
  const source = await openSource(data, {
    faces: { seed, count, offset: HELD_OUT_FACES_OFFSET },
    background: recipe.pictures.background,
    signal,
    onRejected: () => {},
  });
  const progress = display.count('real');
  const size = Math.min(count, source.size);
  const images = [];
  for (let i = 0; i < size; i++) {
    signal.throwIfAborted();
    images.push(await source.read(Math.floor((i * source.size) / size), recipe.imageSize));
    progress(i + 1, size);
  }
  return generator.clip.embedImages(images);
}
