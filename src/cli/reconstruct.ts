/** `clipvq reconstruct`: pictures through the tokenizer and back, to see what it keeps. */

import fs from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { mapConcurrently } from '../base/concurrency.ts';
import { UserError } from '../base/errors.ts';
import { writeFileAtomic } from '../checkpoint/atomic.ts';
import { wholePicture } from '../data/pictures/crop.ts';
import { readImage } from '../data/pictures/files.ts';
import { psnr } from '../data/pictures/image.ts';
import { openSource } from '../data/sources/open.ts';
import { Generator } from '../generation/generator.ts';
import type { PictureSettings } from '../recipe/schema.ts';
import { contactSheet } from '../render/sheet.ts';
import { HELD_OUT_FACES_OFFSET } from '../training/pictures.ts';
import { type CommonOptions, engineOptions, whole, withClip, withCommon } from './options.ts';
import { note, printResult } from './output.ts';

interface ReconstructOptions extends CommonOptions {
  readonly model: string;
  readonly clip?: string;
  readonly out: string;
  readonly count: number;
}

export function reconstructCommand(): Command {
  const command = new Command('reconstruct')
    .description('encode pictures into codes and decode them again')
    .argument('<pictures...>', 'picture files, one folder, or faces for drawn faces the model has not seen')
    .requiredOption('--model <dir>', 'a run directory')
    .option('--out <file>', 'a sheet of originals above reconstructions', 'reconstructions.png')
    .option('-n, --count <n>', 'at most so many pictures of a folder', whole(1), 16);
  return withCommon(withClip(command)).action(reconstruct);
}

async function reconstruct(pictures: string[], options: ReconstructOptions): Promise<void> {
  const generator = await Generator.load(options.model, { ...engineOptions(options), clip: options.clip });
  try {
    const { imageSize, pictures: settings } = generator.recipe;
    const originals = await read(pictures, options.count, imageSize, settings);
    const images = originals.map(({ image }) => image);
    const back = await generator.decode(await generator.encode(images));
    const results = originals.map(({ name, image }, i) => ({ picture: name, psnr: psnr(image, back[i]!) }));
    const mean = results.reduce((sum, r) => sum + r.psnr, 0) / results.length;
    const sheet = await contactSheet({
      rows: [
        { label: 'pictures', images },
        { label: 'reconstructions', note: `${mean.toFixed(1)} dB`, images: back },
      ],
    });
    writeFileAtomic(options.out, sheet);
    printResult(options.json ?? false, { sheet: options.out, psnr: mean, pictures: results }, () => [
      ...results.map((r) => `${r.psnr.toFixed(1)} dB  ${r.picture}`),
      `Mean ${mean.toFixed(2)} dB; sheet: ${options.out}`,
    ]);
  } finally {
    await generator.close();
  }
}

async function read(
  pictures: readonly string[],
  count: number,
  size: number,
  { background, crop, maxPixels }: PictureSettings,
) {
  const [first] = pictures as readonly [string, ...string[]];
  const limits = { background, maxPixels: maxPixels && 1e6 * maxPixels };
  // What training has seen of a picture, where that is the same each time.
  const kept = crop === 'pad' ? wholePicture : undefined;
  const isFolder = first === 'faces' || (fs.existsSync(first) && fs.statSync(first).isDirectory());
  if (!isFolder) {
    const read = async (file: string) => ({
      name: path.basename(file),
      image: await readImage(file, size, { ...limits, crop: kept }),
    });
    return mapConcurrently(pictures.length, undefined, (i) => read(pictures[i]!));
  }
  if (pictures.length > 1) throw new UserError('Name picture files, or one folder, not both');
  const source = await openSource(first, {
    ...limits,
    faces: { seed: 0, count, offset: HELD_OUT_FACES_OFFSET },
    onRejected: ({ path: file, reason }) => note(`left out: ${file}: ${reason}`),
  });
  const indices = Array.from({ length: Math.min(count, source.size) }, (_, i) => i);
  return Promise.all(indices.map(async (i) => ({ name: source.id(i), image: await source.read(i, size, kept) })));
}
