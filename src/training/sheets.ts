/**
 * Sheets that show what a stage has learned: reconstructions of the same pictures, or pictures of the same prompts and
 * seeds, named by step.
 */

import path from 'node:path';
import { makeFolder, writeFileAtomic } from '../checkpoint/atomic.ts';
import { fromPlanar, packImages, type RgbImage } from '../data/pictures/image.ts';
import type { ImageSource } from '../data/sources/source.ts';
import { Engine } from '../engine/engine.ts';
import { Generator } from '../generation/generator.ts';
import { contactSheet, type Sheet } from '../render/sheet.ts';
import { openRunDecoder, openRunEncoder } from '../run/models.ts';
import type { RunContext } from './context.ts';
import type { StageName } from './stages.ts';

/** Pictures of a sheet: of the training, and for each prompt. */
const [RECONSTRUCTED, DRAWN] = [8, 4];

/** The file of a stage's sheet after so many steps. */
export const sheetFile = (stage: string, step: number): string =>
  path.join('samples', `${stage}-${String(step).padStart(7, '0')}.png`);

/**
 * Draw the sheet of a stage that has been trained. The CLIP has none, and a generator none without prompts.
 * @returns the file, or undefined where there is no sheet.
 */
export async function drawSheet(
  stage: StageName,
  context: RunContext,
  { prompts, pictures }: { readonly prompts: readonly string[]; readonly pictures: ImageSource | undefined },
): Promise<string | undefined> {
  const { run } = context;
  const sheet =
    stage === 'tokenizer'
      ? pictures && (await reconstructions(context, pictures))
      : stage === 'clip' || prompts.length === 0
        ? undefined
        : await samples(context, prompts);
  if (!sheet) return undefined;
  const { steps } = run.settings.recipe[stage];
  const file = run.file(sheetFile(stage, steps));
  makeFolder(path.dirname(file));
  writeFileAtomic(file, await contactSheet({ ...sheet, title: `${stage}, step ${steps}` }));
  return file;
}

async function reconstructions({ run, engineOptions }: RunContext, source: ImageSource): Promise<Sheet> {
  const { imageSize } = run.settings.recipe;
  const images: RgbImage[] = [];
  for (let i = 0; i < Math.min(RECONSTRUCTED, source.size); i++) images.push(await source.read(i, imageSize));
  const engine = Engine.start(engineOptions);
  try {
    const codes = await openRunEncoder(run, engine).encode(packImages(images));
    const decoded = await openRunDecoder(run, engine).decode(codes);
    const back = fromPlanar(decoded, images.length, imageSize, imageSize);
    return {
      rows: [
        { label: 'pictures', images },
        { label: 'through the tokenizer', images: back },
      ],
    };
  } finally {
    await engine.close();
  }
}

async function samples({ run, engineOptions, signal }: RunContext, prompts: readonly string[]): Promise<Sheet> {
  const generator = await Generator.load(run.path, engineOptions);
  try {
    const made = await generator.generate(prompts, { count: DRAWN, seed: 0, signal });
    return {
      rows: prompts.map((label) => ({
        label,
        images: made.filter(({ prompt }) => prompt === label).map(({ image }) => image),
      })),
    };
  } finally {
    await generator.close();
  }
}
