/** `clipvq interpolate`: pictures on the way from one condition to another, as a sheet or an animation. */

import path from 'node:path';
import { Command } from 'commander';
import { UserError } from '../base/errors.ts';
import { machineMadeXmp } from '../data/pictures/made-by-machine.ts';
import { encodeAnimation, INTERPOLATION } from '../data/pictures/webp.ts';
import type { Condition, GeneratedImage } from '../generation/generator.ts';
import { requestOf } from '../generation/options.ts';
import type { Recipe } from '../recipe/schema.ts';
import { contactSheet } from '../render/sheet.ts';
import { RunDirectory } from '../run/directory.ts';
import { descriptions } from './command-names.ts';
import { readSquare } from './edit-options.ts';
import { writeKeeping } from './keeping.ts';
import { openGenerator } from './open-generator.ts';
import { type CommonOptions, engineOptions, whole, withClip, withCommon } from './options.ts';
import { interruptSignal, printResult } from './output.ts';
import { ProgressDisplay } from './progress.ts';
import { samplingOf, withSampling } from './sampling-options.ts';

interface InterpolateCommandOptions extends CommonOptions {
  readonly model: string;
  readonly clip?: string;
  readonly frames: number;
  readonly seed: number;
  readonly negative?: string;
  readonly out: string;
}

export function interpolateCommand(): Command {
  const command = new Command('interpolate')
    .description(descriptions.interpolate)
    .argument('<from>', 'a prompt, or a picture file')
    .argument('<to>', 'a prompt, or a picture file')
    .requiredOption('--model <dir>', 'a run directory')
    .option('--frames <n>', 'pictures, both ends included', whole(2), 8)
    .option('--seed <n>', 'seed of all pictures', whole(0), 0)
    .option('--negative <text>', 'what pictures are guided away from, with a guidance of 2 where the model has none')
    .option('--out <file>', 'a .png for a sheet, a .webp for an animation', 'interpolation.png');
  return withCommon(withClip(withSampling(command))).action(interpolate);
}

async function interpolate(from: string, to: string, options: InterpolateCommandOptions): Promise<void> {
  const { out, model, frames, seed, negative } = options;
  const write = writerFor(out);
  const run = RunDirectory.open(model);
  const { recipe } = run.settings;
  const ends = [await conditionOf(from, recipe), await conditionOf(to, recipe)] as const;
  const signal = interruptSignal();
  const display = new ProgressDisplay();
  const drawing = { seed, negative, ...samplingOf(options) };
  // What cannot be drawn is refused before a model is loaded.
  requestOf(ends, drawing, recipe);
  const generator = await openGenerator(run, {
    engineOptions: engineOptions(options),
    clip: options.clip,
    signal,
    display,
  });
  try {
    const pictures: GeneratedImage[] = [];
    const onProgress = display.count('sampling');
    for await (const picture of generator.interpolate(...ends, { ...drawing, frames, signal, onProgress }))
      pictures.push(picture);
    display.end();
    writeKeeping(out, await write(pictures, `${from} -> ${to}`));
    const clipScores = pictures.map(({ clipScore }) => clipScore);
    printResult(options.json ?? false, { path: out, from, to, frames, seed, clipScores }, () => [
      `${out}  ${frames} pictures from "${from}" to "${to}"`,
    ]);
  } finally {
    await generator.close();
  }
}

/** @throws UserError for a file that is neither a sheet nor an animation. */
function writerFor(out: string): (pictures: readonly GeneratedImage[], title: string) => Promise<Buffer> {
  const format = path.extname(out).toLowerCase();
  if (format === '.png')
    return (pictures, title) => contactSheet({ rows: [{ label: title, images: pictures.map(({ image }) => image) }] });
  if (format === '.webp')
    return (pictures) =>
      encodeAnimation(
        pictures.map(({ image }) => image),
        INTERPOLATION,
        machineMadeXmp('trainedAlgorithmicMedia', 'clip-vqdiffusion'),
      );
  throw new UserError(`--out ${out}: name a .png file for a sheet, or a .webp file for an animation`);
}

const PICTURE_FILE = /\.(png|jpe?g|webp|avif|gif|tiff?|svg)$/i;

/** What is called like a picture file is one; everything else is a prompt. */
export const conditionOf = async (text: string, recipe: Recipe): Promise<Condition> =>
  PICTURE_FILE.test(text) ? { picture: await readSquare(text, recipe), name: path.basename(text) } : text;
