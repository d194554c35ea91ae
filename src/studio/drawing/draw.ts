/** A planned drawing, step by step, with the open model. */

import { readImage } from '../../data/pictures/files.ts';
import type { RgbImage } from '../../data/pictures/image.ts';
import { encodePng } from '../../data/pictures/png.ts';
import { bestOfEach } from '../../generation/choosing.ts';
import type { Condition, GeneratedImage, Generator, StartPicture, StreamFrame } from '../../generation/generator.ts';
import { gridSize, type Recipe } from '../../recipe/schema.ts';
import type {
  Batch,
  DrawnFrame,
  DrawnStep,
  DrawPlan,
  FinishedPicture,
  PlannedCondition,
  PlannedStart,
} from './calls.ts';

/**
 * Draw what is planned. Each step waits until it is wanted; leaving the iteration ends the drawing.
 * @throws UserError as `Generator.stream` does.
 */
export async function* drawing(generator: Generator, plan: DrawPlan): AsyncGenerator<DrawnStep, void> {
  const { recipe } = generator;
  const start = plan.start && (await startOf(plan.start, recipe));
  let [first, done] = [0, 0];
  for (const batch of plan.batches) {
    const condition = await conditionOf(batch.condition, recipe);
    const { count, seed } = batch;
    const options = { ...plan.settings, count, seed, negative: plan.negative, start, preview: true };
    for await (const frame of generator.stream(condition, options)) {
      done++;
      const { step, steps } = frame;
      yield {
        ...{ step, steps, first, done, total: steps * plan.batches.length },
        frames: await framesOf(frame, batch),
        finished: frame.pictures ? await finishedOf(generator, frame.pictures, plan.bestOf) : [],
      };
    }
    first += count;
  }
}

async function framesOf({ preview, masked, pictures }: StreamFrame, { seed, condition }: Batch): Promise<DrawnFrame[]> {
  const images = pictures?.map(({ image }) => image) ?? preview ?? [];
  const tokens = masked.length / Math.max(1, images.length);
  const prompt = wordsOf(condition);
  return Promise.all(
    images.map(async (image, i) => ({
      png: await encodePng(image, {}),
      masked: Array.from(masked.subarray(i * tokens, (i + 1) * tokens)).join(''),
      seed: seed + i,
      prompt,
    })),
  );
}

async function finishedOf(
  generator: Generator,
  pictures: readonly GeneratedImage[],
  bestOf: number,
): Promise<FinishedPicture[]> {
  const kept: FinishedPicture[] = [];
  for await (const picture of bestOfEach(bestOf, iterate(pictures))) {
    const { image, prompt, negative, seed, settings, clipScore } = picture;
    const { width, height } = image;
    kept.push({
      ...{ width, height, prompt, negative, seed, settings, clipScore },
      png: await generator.toPng(picture),
    });
  }
  return kept;
}

async function* iterate<T>(items: readonly T[]): AsyncGenerator<T, void> {
  yield* items;
}

const wordsOf = (condition: PlannedCondition): string => {
  if ('text' in condition) return condition.text;
  if ('file' in condition) return condition.name;
  return condition.between.map(wordsOf).join(' → ');
};

/** A picture file as training has seen pictures. */
const square = (file: Uint8Array, { imageSize, pictures: { background } }: Recipe): Promise<RgbImage> =>
  readImage(file, imageSize, { background });

async function conditionOf(condition: PlannedCondition, recipe: Recipe): Promise<Condition> {
  if ('text' in condition) return condition.text;
  if ('file' in condition) return { picture: await square(condition.file, recipe), name: condition.name };
  const [from, to] = condition.between;
  return { between: [await conditionOf(from, recipe), await conditionOf(to, recipe)], at: condition.at };
}

async function startOf({ file, strength, mask }: PlannedStart, recipe: Recipe): Promise<StartPicture> {
  return { picture: await square(file, recipe), strength, mask: mask === undefined ? undefined : maskOf(mask, recipe) };
}

/** A mask of the grid as a picture: white where a code is drawn anew. */
function maskOf(mask: string, recipe: Recipe): RgbImage {
  const { imageSize } = recipe;
  const grid = gridSize(recipe);
  const cell = imageSize / grid;
  const data = new Uint8Array(3 * imageSize * imageSize);
  for (let y = 0; y < imageSize; y++)
    for (let x = 0; x < imageSize; x++)
      if (mask[Math.floor(y / cell) * grid + Math.floor(x / cell)] === '1')
        data.fill(255, 3 * (y * imageSize + x), 3 * (y * imageSize + x) + 3);
  return { width: imageSize, height: imageSize, data };
}
