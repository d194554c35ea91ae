/**
 * `clipvq demo`: the main job from beginning to end on the built-in faces. Caption-less pictures in, a model that
 * answers prompts out.
 */

import fs from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { machineSpeed } from '../bench/speed.ts';
import { benchTrainStep } from '../bench/step-bench.ts';
import { facesSource } from '../data/sources/faces/source.ts';
import { SHIPPED, shippedModel } from '../embedding/sources/shipped.ts';
import { reconstructionQuality } from '../evaluation/reconstruction.ts';
import { makeFolder, writeFileAtomic } from '../files/atomic.ts';
import { Generator } from '../generation/generator.ts';
import { gridSize } from '../recipe/schema.ts';
import { contactSheet } from '../render/sheet.ts';
import { RunDirectory } from '../run/directory.ts';
import { checkpointFiles } from '../training/loop/checkpoint.ts';
import { HELD_OUT_FACES_OFFSET, openPictures } from '../training/pictures/pictures.ts';
import { trainPipeline } from '../training/pipeline.ts';
import { descriptions } from './command-names.ts';
import { DEMO_MINUTES, demoRecipe, fittedDiffusion, plannedSeconds } from './demo-plan.ts';
import { scorePictures } from './evaluate.ts';
import { facePrompts } from './face-prompts.ts';
import { checkLimit } from './memory.ts';
import { between, type CommonOptions, changedOption, engineOptions, memorySize, whole, withCommon } from './options.ts';
import { CHECKPOINT_KEPT, interruptSignal, note, printResult } from './output.ts';
import { duration, ProgressDisplay } from './progress.ts';
import { checkDemo } from './sense.ts';

interface DemoOptions extends CommonOptions {
  readonly out: string;
  readonly minutes: number;
  readonly seed: number;
  readonly changed?: 'go-on' | 'restart';
  readonly memory?: number;
}

const PICTURES_A_PROMPT = 4;
/** Faces no stage has seen, for reconstruction: the first eight are shown, all are measured. */
const HELD_OUT = 64;
const SHOWN = 8;

export function demoCommand(): Command {
  const command = new Command('demo')
    .description(descriptions.demo)
    .option('--out <dir>', 'where to work; an interrupted demo goes on from here', 'demo')
    .option(
      '--minutes <m>',
      'about how long all of it may take; what a slow machine cannot do in that time is left out',
      between(0.05, 100_000),
      DEMO_MINUTES,
    )
    .addOption(changedOption('with an existing run'))
    .option('--seed <n>', 'seed of everything random', whole(0), 0)
    .option('--memory <size>', 'keep the process under this much memory while it trains (800M, 2G)', memorySize);
  return withCommon(command).action(demo);
}

async function demo(options: DemoOptions): Promise<void> {
  checkLimit(options);
  shippedModel();
  const signal = interruptSignal(undefined, CHECKPOINT_KEPT);
  const display = new ProgressDisplay();
  const resume = RunDirectory.exists(options.out);
  const speed = await machineSpeed(engineOptions(options));
  const run = resume ? RunDirectory.open(options.out) : startDemo(options, speed);
  checkDemo(run);
  if (resume) note(`Going on with ${options.out} (delete the folder to start afresh)`);
  else note(`This machine computes at ${speed.toFixed(2)} of the reference speed`);

  const pictures = await openPictures(run.settings, { signal, display }, run);
  const common = {
    pictures,
    memory: options.memory,
    resume,
    changed: options.changed,
    checkpointEvery: 250,
    signal,
    display,
  };
  const train = (stage: 'tokenizer' | 'diffusion', into: RunDirectory) =>
    trainPipeline({ ...common, run: into, stages: [stage], engineOptions: engineOptions(options) });
  const tokenizer = await train('tokenizer', run);
  display.end();
  const fitted = await fitDiffusion(run, { ...options, resume, speed });
  const diffusion = await train('diffusion', fitted);
  display.end();
  const result = await answerPrompts(fitted, options, signal, display);
  const all = { ...tokenizer.seconds, ...diffusion.seconds, sampling: result.seconds };
  const { matched, shuffled, p } = result.clipScore;
  printResult(options.json ?? false, { ...result, seconds: all }, () => [
    '',
    `Sheet: ${result.sheet}`,
    `CLIP score of the samples: ${matched.toFixed(3)} with their own prompts, ${shuffled.toFixed(3)} with the others (permutation test p = ${p.toFixed(4)}); of the shipped model, trained for longer, ${result.shippedScore.toFixed(3)}`,
    `Reconstruction of unseen faces: PSNR ${result.psnr.toFixed(2)} dB`,
    `Seconds: ${Object.entries(all)
      .map(([name, s]) => `${name} ${s.toFixed(0)}`)
      .join(', ')} (${duration(performance.now() / 1000)} in all)`,
    `Ask for more: clipvq generate --model ${options.out} "a man with a red hat and sunglasses"`,
  ]);
}

/** A new run whose tokenizer fits the machine and the minutes. */
const startDemo = ({ out, minutes, seed }: DemoOptions, speed: number): RunDirectory =>
  RunDirectory.create(out, { seed, data: 'faces', clip: SHIPPED, recipe: demoRecipe(minutes, speed) });

/** The run, with as many steps of its diffusion model as there is time for: chosen once, and written down. */
export async function fitDiffusion(
  run: RunDirectory,
  { minutes, resume, speed, ...options }: DemoOptions & { readonly resume: boolean; readonly speed: number },
): Promise<RunDirectory> {
  const { recipe, fullSteps } = run.settings;
  const begun = run.hasModel('diffusion') || checkpointFiles(run, { name: 'diffusion' }).some((f) => fs.existsSync(f));
  // One that was killed goes on with the length that it has chosen.
  if (begun || fullSteps?.diffusion !== undefined) return run;
  const { batch, layers, dim, heads, mlp, fold } = recipe.diffusion;
  const sizes = { layers, dim, heads, mlp, fold, batch, grid: gridSize(recipe), codes: recipe.tokenizer.codes };
  const { medianMs } = await benchTrainStep({ ...sizes, inPlace: false, rounds: 8 }, engineOptions(options));
  const spent = resume ? plannedSeconds(recipe, speed) : performance.now() / 1000;
  const fitted = fittedDiffusion(recipe, { minutes, spent, speed, perStep: medianMs / 1000 });
  note(
    `A step of the diffusion model takes ${medianMs.toFixed(0)} ms here, and there is time for ${fitted.diffusion.steps} of ${recipe.diffusion.steps}${fitted.diffusion.steps < recipe.diffusion.steps / 3 ? ': pictures will be rough (--minutes gives it more)' : ''}`,
  );
  return run.changed({ ...run.settings, recipe: fitted, fullSteps: { diffusion: recipe.diffusion.steps } });
}

async function answerPrompts(run: RunDirectory, options: DemoOptions, signal: AbortSignal, display: ProgressDisplay) {
  const start = performance.now();
  const { recipe, seed } = run.settings;
  const generator = await Generator.load(run.path, engineOptions(options));
  try {
    const pictures = await generator.generate(facePrompts, {
      count: PICTURES_A_PROMPT,
      seed,
      signal,
      onProgress: display.count('sampling'),
    });
    display.end();
    const clipScore = await scorePictures(generator, facePrompts, pictures);
    const shipped = await shippedAnswers(options, seed, signal, display);
    const source = facesSource({ seed, count: HELD_OUT, offset: HELD_OUT_FACES_OFFSET });
    const real = await Promise.all(Array.from({ length: HELD_OUT }, (_, i) => source.read(i, recipe.imageSize)));
    const { psnr } = await reconstructionQuality(generator, real, recipe.tokenizer.codes);
    const shown = real.slice(0, SHOWN);
    const back = await generator.decode(await generator.encode(shown));

    const files: Buffer[] = [];
    for (const picture of pictures) files.push(await generator.toPng(picture));
    const of = <T>(all: readonly T[], i: number) => all.slice(i * PICTURES_A_PROMPT, (i + 1) * PICTURES_A_PROMPT);
    const mean = (some: readonly { clipScore: number }[]) =>
      some.reduce((sum, x) => sum + x.clipScore, 0) / some.length;
    const rows = facePrompts.map((prompt, i) => {
      const [own, other] = [of(pictures, i), of(shipped.pictures, i)];
      return {
        label: prompt,
        note: `CLIP score ${mean(own).toFixed(2)}, shipped ${mean(other).toFixed(2)}`,
        images: [...own, ...other].map(({ image }) => image),
      };
    });
    const page = await contactSheet({
      title: 'Pictures for prompts, learned from pictures alone',
      subtitle: `${recipe.images} faces without captions; ${recipe.tokenizer.steps} tokenizer steps, ${recipe.diffusion.steps} diffusion steps of ${recipe.diffusion.batch}`,
      rows: [
        { label: 'real faces the model has not seen', images: shown },
        { label: 'the same through the tokenizer', note: `${psnr.toFixed(1)} dB`, images: back },
        ...rows,
      ],
      comparison: {
        row: 2,
        column: PICTURES_A_PROMPT,
        names: ['This demo, trained just now', 'The model that is shipped, trained for longer'],
      },
    });
    return {
      ...writeAnswers(run, files, page),
      clipScore,
      shippedScore: shipped.score,
      psnr,
      seconds: (performance.now() - start) / 1000,
    };
  } finally {
    await generator.close();
  }
}

/** Write the pictures of a demo and its sheet, over those of a demo that was killed. */
export function writeAnswers(run: RunDirectory, pictures: readonly Buffer[], page: Buffer) {
  const folder = run.file('images');
  makeFolder(folder);
  const images = pictures.map((_, i) => path.join(folder, `${String(i + 1).padStart(2, '0')}.png`));
  for (const [i, picture] of pictures.entries()) writeFileAtomic(images[i]!, picture);
  const sheet = run.file('sheet.png');
  writeFileAtomic(sheet, page);
  return { sheet, images };
}

/** What the model of drawn faces that is shipped answers to the same prompts. */
async function shippedAnswers(options: DemoOptions, seed: number, signal: AbortSignal, display: ProgressDisplay) {
  const generator = await Generator.load(shippedModel(), engineOptions(options));
  try {
    const onProgress = display.count('shipped');
    const pictures = await generator.generate(facePrompts, { count: PICTURES_A_PROMPT, seed, signal, onProgress });
    display.end();
    return { pictures, score: (await scorePictures(generator, facePrompts, pictures)).matched };
  } finally {
    await generator.close();
  }
}
