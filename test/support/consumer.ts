/** A program of another project, compiled there by test/package.test.ts: it uses every export of the package. */

import type {
  EngineOptions,
  Estimate,
  GenerateOptions,
  Recipe,
  RgbImage,
  Sampler,
  StreamFrame,
  StreamOptions,
  TrainingOptions,
  TrainingProgress,
} from 'clip-vqdiffusion';
import {
  estimate,
  Generator,
  Interrupted,
  makeRecipe,
  openData,
  readImage,
  save,
  train,
  UserError,
} from 'clip-vqdiffusion';

const firstCodes: Sampler = async (denoise, { tokens, batch }) => {
  await denoise(new Int32Array(tokens * batch), 0);
  return new Int32Array(tokens * batch);
};

const stepOf = (progress: TrainingProgress): number => (progress.kind === 'step' ? progress.step : progress.done);

export async function main(): Promise<void> {
  const options: TrainingOptions = { data: 'faces', run: 'run', set: { 'diffusion.steps': 3 }, onProgress: stepOf };
  try {
    await train(options);
  } catch (error) {
    if (error instanceof UserError || error instanceof Interrupted) console.log(error.message);
  }
  const recipe: Recipe = await makeRecipe('nano', { 'diffusion.layers': '3' });
  const cost: Estimate = await estimate({ recipe, speed: 1 });
  const data = await openData('faces');
  const images: RgbImage[] = [await data.read(0, 64), await readImage('picture.jpg', 64)];
  const engine: EngineOptions = { device: 'cpu' };
  const generator: Generator = await Generator.load('run', engine);
  const codes: Int32Array = await generator.encode(images);
  await generator.decode(codes);
  const drawing: GenerateOptions = { count: 2, steps: 8, customSampler: firstCodes };
  for (const picture of await generator.generate(['a red hat'], drawing)) {
    await save('picture.png', await generator.toPng(picture));
    await save('plain.png', picture.image);
  }
  const frames: StreamOptions = { seed: 3, preview: true };
  for await (const frame of generator.stream('a red hat', frames)) {
    const { step, pictures = [] }: StreamFrame = frame;
    console.log(step, ...pictures.map(({ clipScore }) => clipScore));
  }
  await generator.close();
  console.log(cost.seconds, recipe.diffusion.layers);
}
