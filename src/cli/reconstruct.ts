/** `clipvq reconstruct`: pictures through the tokenizer and back, to see what it keeps. */

import fs from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { mapConcurrently } from '../base/concurrency.ts';
import { UserError } from '../base/errors.ts';
import { wholePicture } from '../data/pictures/crop.ts';
import { readImage } from '../data/pictures/files.ts';
import { psnr, type RgbImage } from '../data/pictures/image.ts';
import { isNamedSource } from '../data/sources/open.ts';
import { Reconstructor } from '../generation/reconstructor.ts';
import { contactSheet, type SheetRow } from '../render/sheet.ts';
import { RunDirectory } from '../run/directory.ts';
import { openMeasuring } from '../training/pictures/measuring.ts';
import { pictureOptions } from '../training/pictures/pictures.ts';
import { descriptions } from './command-names.ts';
import { writeKeeping } from './keeping.ts';
import { type CommonOptions, engineOptions, whole, withCommon } from './options.ts';
import { interruptSignal, note, printResult } from './output.ts';
import { ProgressDisplay } from './progress.ts';

interface ReconstructOptions extends CommonOptions {
  readonly model: string;
  readonly out: string;
  readonly count: number;
}

export function reconstructCommand(): Command {
  const command = new Command('reconstruct')
    .description(descriptions.reconstruct)
    .argument('<pictures...>', 'picture files, one folder, or faces for drawn faces the model has not seen')
    .requiredOption('--model <dir>', 'a run directory; of its stages the tokenizer will do')
    .option(
      '--out <file>',
      'a sheet of originals above reconstructions; another file there is kept',
      'reconstructions.png',
    )
    .option('-n, --count <n>', 'at most so many pictures of a folder, drawn at random', whole(1), 16);
  return withCommon(command).action(reconstruct);
}

async function reconstruct(pictures: string[], options: ReconstructOptions): Promise<void> {
  const signal = interruptSignal();
  const display = new ProgressDisplay();
  const run = RunDirectory.open(options.model);
  // Pictures that cannot be used are found before a model is loaded.
  const originals = await read(run, pictures, options.count, signal, display);
  display.end();
  const reconstructor = await Reconstructor.open(run, engineOptions(options));
  try {
    const images = originals.map(({ image }) => image);
    const back = await reconstructor.reconstruct(images);
    const results = originals.map(({ name, image }, i) => ({ picture: name, psnr: psnr(image, back[i]!) }));
    const mean = results.reduce((sum, r) => sum + r.psnr, 0) / results.length;
    writeKeeping(options.out, await contactSheet({ rows: pairedRows(images, back, `${mean.toFixed(1)} dB`) }));
    printResult(options.json ?? false, { sheet: options.out, psnr: mean, pictures: results }, () => [
      ...results.map((r) => `${r.psnr.toFixed(1)} dB  ${r.picture}`),
      `Mean ${mean.toFixed(2)} dB; sheet: ${options.out}`,
    ]);
  } finally {
    await reconstructor.close();
  }
}

/** Pictures in a row of a sheet. */
const COLUMNS = 8;

/** Originals above their reconstructions, in rows of so many. */
export function pairedRows(images: readonly RgbImage[], back: readonly RgbImage[], quality: string): SheetRow[] {
  return Array.from({ length: Math.ceil(images.length / COLUMNS) }, (_, row) => {
    const some = <T>(all: readonly T[]) => all.slice(row * COLUMNS, (row + 1) * COLUMNS);
    return [
      { label: row === 0 ? 'pictures' : '', images: some(images) },
      { label: row === 0 ? 'reconstructions' : '', ...(row === 0 && { note: quality }), images: some(back) },
    ];
  }).flat();
}

async function read(
  run: RunDirectory,
  pictures: readonly string[],
  count: number,
  signal: AbortSignal,
  display: ProgressDisplay,
) {
  const { imageSize, pictures: settings } = run.settings.recipe;
  const [first] = pictures as readonly [string, ...string[]];
  const isFolder = isNamedSource(first) || (fs.existsSync(first) && fs.statSync(first).isDirectory());
  if (!isFolder) {
    // What training has seen of a picture, where that is the same each time.
    const crop = settings.crop === 'pad' ? wholePicture : undefined;
    const options = { ...pictureOptions(settings), crop };
    return mapConcurrently(pictures.length, signal, async (i) => ({
      name: path.basename(pictures[i]!),
      image: await readImage(pictures[i]!, imageSize, options),
    }));
  }
  if (pictures.length > 1) throw new UserError('Name picture files, or one folder, not both');
  const { source, crop, about } = await openMeasuring(run, first, {
    count,
    ...{ signal, display },
    onRejected: ({ path: file, reason }) => note(`left out: ${file}: ${reason}`),
  });
  if (about !== undefined) note(about);
  return mapConcurrently(source.size, signal, async (i) => ({
    name: source.id(i),
    image: await source.read(i, imageSize, crop),
  }));
}
