/**
 * `clipvq demo`: the main job from beginning to end on the built-in faces. Caption-less pictures in, a model that
 * answers prompts out.
 */

import fs from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { machineSpeed } from '../bench/speed.ts';
import { writeFileAtomic } from '../checkpoint/atomic.ts';
import { SHIPPED } from '../clip/shipped.ts';
import { facesSource } from '../data/sources/faces/source.ts';
import { reconstructionQuality } from '../evaluation/reconstruction.ts';
import { Generator } from '../generation/generator.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import type { Recipe } from '../recipe/schema.ts';
import { contactSheet } from '../render/sheet.ts';
import { RunDirectory } from '../run/directory.ts';
import { HELD_OUT_FACES_OFFSET, openPictures } from '../training/pictures.ts';
import { trainPipeline } from '../training/pipeline.ts';
import { descriptions } from './command-names.ts';
import { scorePictures } from './evaluate.ts';
import { facePrompts } from './face-prompts.ts';
import { checkLimit } from './memory.ts';
import { between, type CommonOptions, changedOption, engineOptions, memorySize, whole, withCommon } from './options.ts';
import { interruptSignal, note, printResult } from './output.ts';
import { duration, ProgressDisplay } from './progress.ts';
import { checkDemo } from './sense.ts';

interface DemoOptions extends CommonOptions {
  readonly out: string;
  readonly minutes: number;
  readonly seed: number;
  readonly changed?: 'go-on' | 'restart';
  readonly memory?: number;
}

/** Minutes that preset demo takes on a machine of speed 1 (see evaluation/speed.ts), both stages together. */
const DEMO_MINUTES = 6.75;
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
      'about how long training may take; on a slow machine it is cut to fit',
      between(0.05, 100_000),
      DEMO_MINUTES,
    )
    .addOption(changedOption('with a run that is there'))
    .option('--seed <n>', 'seed of everything random', whole(0), 0)
    .option('--memory <size>', 'train in no more memory of the process than this (800M, 2G)', memorySize);
  return withCommon(command).action(demo);
}

async function demo(options: DemoOptions): Promise<void> {
  checkLimit(options);
  const signal = interruptSignal();
  const display = new ProgressDisplay();
  const resume = RunDirectory.exists(options.out);
  const run = resume ? RunDirectory.open(options.out) : await startDemo(options);
  checkDemo(run);
  if (resume) note(`Going on with ${options.out} (delete the folder to start afresh)`);

  const { seconds } = await trainPipeline({
    run,
    pictures: await openPictures(run.settings, { signal, display }, run),
    stages: ['tokenizer', 'diffusion'],
    engineOptions: engineOptions(options),
    memory: options.memory,
    resume,
    changed: options.changed,
    checkpointEvery: 250,
    signal,
    display,
  });
  display.end();
  const result = await answerPrompts(run, options, signal, display);
  const all = { ...seconds, sampling: result.seconds };
  const { matched, shuffled, p } = result.clipScore;
  printResult(options.json ?? false, { ...result, seconds: all }, () => [
    '',
    `Sheet: ${result.sheet}`,
    `CLIP score of the samples: ${matched.toFixed(3)} with their own prompts, ${shuffled.toFixed(3)} with the others (permutation test p = ${p.toFixed(4)})`,
    `Reconstruction of unseen faces: PSNR ${result.psnr.toFixed(2)} dB`,
    `Seconds: ${Object.entries(all)
      .map(([name, s]) => `${name} ${s.toFixed(0)}`)
      .join(', ')} (${duration(Object.values(all).reduce((a, b) => a + b, 0))} in all)`,
    `Ask for more: clipvq generate --model ${options.out} "a man with a red hat and sunglasses"`,
  ]);
}

/** A new run whose steps fit the machine and the minutes. */
async function startDemo({ out, minutes, seed, ...common }: DemoOptions): Promise<RunDirectory> {
  const speed = await machineSpeed(engineOptions(common));
  const scale = (minutes / DEMO_MINUTES) * Math.min(1, speed);
  note(
    `This machine computes at ${speed.toFixed(2)} of the reference speed; training ${scale === 1 ? 'all' : `${(100 * scale).toFixed(0)} % of`} the steps of preset demo, about ${duration((60 * DEMO_MINUTES * scale) / speed)}.`,
  );
  return RunDirectory.create(out, {
    seed,
    data: 'faces',
    clip: SHIPPED,
    recipe: scaledRecipe(makeRecipe('demo'), scale),
  });
}

/** The same recipe with more or fewer steps, and pictures in proportion where there are fewer. */
function scaledRecipe(recipe: Recipe, scale: number): Recipe {
  const steps = (n: number) => Math.max(4, Math.round(n * scale));
  const { tokenizer, diffusion } = recipe;
  const fewer = Math.min(1, Math.max(0.05, scale));
  return {
    ...recipe,
    images: Math.max(256, Math.round(recipe.images * fewer)),
    tokenizer: { ...tokenizer, steps: steps(tokenizer.steps) },
    diffusion: { ...diffusion, steps: steps(diffusion.steps) },
  };
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
    const source = facesSource({ seed, count: HELD_OUT, offset: HELD_OUT_FACES_OFFSET });
    const real = await Promise.all(Array.from({ length: HELD_OUT }, (_, i) => source.read(i, recipe.imageSize)));
    const { psnr } = await reconstructionQuality(generator, real, recipe.tokenizer.codes);
    const shown = real.slice(0, SHOWN);
    const back = await generator.decode(await generator.encode(shown));

    const folder = path.join(run.path, 'images');
    fs.mkdirSync(folder, { recursive: true });
    const images: string[] = [];
    for (const [i, picture] of pictures.entries()) {
      images.push(path.join(folder, `${String(i + 1).padStart(2, '0')}.png`));
      writeFileAtomic(images[i]!, await generator.toPng(picture));
    }
    const sheet = path.join(run.path, 'sheet.png');
    const rows = facePrompts.map((prompt, i) => {
      const own = pictures.slice(i * PICTURES_A_PROMPT, (i + 1) * PICTURES_A_PROMPT);
      const mean = own.reduce((sum, { clipScore }) => sum + clipScore, 0) / own.length;
      return { label: prompt, note: `CLIP score ${mean.toFixed(2)}`, images: own.map(({ image }) => image) };
    });
    const page = await contactSheet({
      title: 'Pictures for prompts, learned from pictures alone',
      subtitle: `${recipe.images} faces without captions; ${recipe.tokenizer.steps} tokenizer steps, ${recipe.diffusion.steps} diffusion steps`,
      rows: [
        { label: 'real faces the model has not seen', images: shown },
        { label: 'the same through the tokenizer', note: `${psnr.toFixed(1)} dB`, images: back },
        ...rows,
      ],
    });
    writeFileAtomic(sheet, page);
    return { sheet, images, clipScore, psnr, seconds: (performance.now() - start) / 1000 };
  } finally {
    await generator.close();
  }
}
