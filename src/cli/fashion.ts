/** `clipvq fashion`: the whole study of Fashion-MNIST with one line (docs/fashion.md). */

import path from 'node:path';
import { Command } from 'commander';
import { type FashionReport, studyFashion } from '../bench/fashion.ts';
import { FASHION_CLASSES } from '../data/sources/fashion-mnist.ts';
import { Engine } from '../engine/engine.ts';
import { writeFileAtomic } from '../files/atomic.ts';
import { Generator } from '../generation/generator.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { contactSheet } from '../render/sheet.ts';
import { RunDirectory } from '../run/directory.ts';
import { openPictures } from '../training/pictures/pictures.ts';
import { trainPipeline } from '../training/pipeline.ts';
import { descriptions } from './command-names.ts';
import { assignment, type CommonOptions, changedOption, engineOptions, whole, withCommon } from './options.ts';
import { CHECKPOINT_KEPT, interruptSignal, note, printResult } from './output.ts';
import { percent } from './percent.ts';
import { ProgressDisplay } from './progress.ts';

interface Options extends CommonOptions {
  readonly out: string;
  readonly pictures: number;
  readonly seed: number;
  readonly changed?: 'go-on' | 'restart';
  readonly set?: Readonly<Record<string, string>>;
}

export function fashionCommand(): Command {
  const command = new Command('fashion')
    .description(descriptions.fashion)
    .option('--out <dir>', 'where to work; an interrupted study goes on from here', 'fashion')
    .option('--pictures <n>', 'pictures of each class and wording', whole(1), 20)
    .addOption(changedOption('with an existing run'))
    .option('--seed <n>', 'seed of everything random', whole(0), 0)
    .option('--set <key=value>', 'change a setting of preset fashion; repeatable', assignment);
  return withCommon(command).action(fashion);
}

async function fashion(options: Options): Promise<void> {
  const signal = interruptSignal(undefined, CHECKPOINT_KEPT);
  const display = new ProgressDisplay();
  const resume = RunDirectory.exists(options.out);
  const run = resume
    ? RunDirectory.open(options.out)
    : RunDirectory.create(options.out, {
        seed: options.seed,
        data: 'fashion-mnist',
        clip: 'compact',
        recipe: makeRecipe('fashion', options.set),
      });
  if (resume) note(`Going on with ${options.out} (delete the folder to start afresh)`);
  const { seconds } = await trainPipeline({
    run,
    pictures: await openPictures(run.settings, { signal, display }, run),
    stages: ['clip', 'tokenizer', 'diffusion'],
    engineOptions: engineOptions(options),
    resume,
    changed: options.changed,
    checkpointEvery: 500,
    signal,
    display,
  });
  display.end();
  const generator = await Generator.load(run.path, engineOptions(options));
  const engine = Engine.start(engineOptions(options));
  try {
    const { report, pictures } = await studyFashion({
      ...{ generator, engine, signal, seed: run.settings.seed, count: options.pictures },
      classifierFile: run.file('classifier.safetensors'),
      progress: (what) => display.count(what),
    });
    display.end();
    const { recipe } = generator;
    const sheet = await contactSheet({
      title: 'Ten words, one row each',
      subtitle: `Learned from ${recipe.images} pictures without captions; ${recipe.sampling.steps} steps of ${recipe.sampling.sampler}`,
      rows: report.byClass.map(({ name, recognised }, i) => ({
        label: `“${name}”`,
        note: `${percent(recognised)} recognised`,
        images: pictures.generated[i]!.slice(0, 10),
      })),
      tileSize: 64,
    });
    const neighbours = await contactSheet({
      title: 'Learned, or copied?',
      subtitle: 'A generated picture, and the four nearest to it of all the pictures that were learned from',
      rows: pictures.neighbours.map(({ picture, nearest }, i) => ({
        label: FASHION_CLASSES[i]!,
        images: [picture, ...nearest],
        highlight: [0],
      })),
      tileSize: 64,
    });
    writeFileAtomic(run.file('sheet.png'), sheet);
    writeFileAtomic(run.file('neighbours.png'), neighbours);
    run.writeJson('fashion-report.json', report);
    const files = { sheet: run.file('sheet.png'), neighbours: run.file('neighbours.png') };
    printResult(options.json ?? false, { run: run.path, seconds, ...report, ...files }, () => [
      ...reportLines(report),
      '',
      `Sheets: ${files.sheet}, ${files.neighbours}; all numbers: ${path.join(run.path, 'fashion-report.json')}`,
    ]);
  } finally {
    await Promise.all([generator.close(), engine.close()]);
  }
}

const inColumn = (share: number): string => percent(share, 1).padStart(7);

function reportLines(report: FashionReport): string[] {
  return [
    `Classifier on test pictures ${percent(report.classifierAccuracy, 1)}; through the tokenizer ${percent(report.reconstructed, 1)}; CLIP zero-shot on unseen pictures ${percent(report.clipZeroShot, 1)}`,
    `Requested class recognised in ${percent(report.recognised, 1)} of the generated pictures (chance 10 %)`,
    '',
    'class          recognised   real  through the tokenizer',
    ...report.byClass.map(
      ({ name, recognised, real, reconstructed }) =>
        `${name.padEnd(14)} ${inColumn(recognised)}  ${inColumn(real)}  ${inColumn(reconstructed)}`,
    ),
    '',
    'wording',
    ...report.byWording.map(
      ({ name, isKnown, recognised }) =>
        `${inColumn(recognised)}  ${name}${isKnown ? '' : '  (never read by the CLIP)'}`,
    ),
    '',
    `Distance to the nearest training picture: generated ${report.nearest.generated.toFixed(1)}, unseen real ${report.nearest.unseen.toFixed(1)} levels of 255`,
  ];
}
