/**
 * The thread that draws: sampling blocks its thread for up to half a second a step, and the server answers meanwhile.
 */

import { UserError } from '../../base/errors.ts';
import { serveThread, threadOptions } from '../../base/worker-calls.ts';
import { estimateTraining } from '../../bench/estimate.ts';
import { machineSpeed } from '../../bench/speed.ts';
import { DEFAULT_CLIP } from '../../embedding/sources/default-clip.ts';
import { Generator } from '../../generation/generator.ts';
import { makeRecipe } from '../../recipe/recipe.ts';
import type { DrawingCalls, DrawingThreadOptions, DrawnStep, DrawPlan, PlannedCondition, PresetCost } from './calls.ts';
import { drawing } from './draw.ts';

const options = threadOptions<DrawingThreadOptions>();

let generator: Generator | undefined;
const drawings = new Map<string, AsyncGenerator<DrawnStep, void>>();

async function leave(job: string): Promise<undefined> {
  const left = drawings.get(job);
  drawings.delete(job);
  await left?.return();
}

async function end(): Promise<undefined> {
  for (const job of [...drawings.keys()]) await leave(job);
  const closing = generator;
  generator = undefined;
  await closing?.close();
}

function opened(): Generator {
  if (!generator) throw new UserError('No model is open: choose one that can be loaded');
  return generator;
}

/** Words of a plan's prompts that the model has not learned, in sentences. */
async function notesOf({ clip }: Generator, { batches }: DrawPlan): Promise<readonly string[]> {
  const texts = [...new Set(batches.flatMap(({ condition }) => textsOf(condition)))];
  const known = texts.length > 0 ? await clip.knowledge(texts) : undefined;
  return (known ?? []).flatMap(({ unknown }, i) =>
    unknown.length === 0 ? [] : [`"${texts[i]}": this model's CLIP has not learned ${unknown.join(', ')}`],
  );
}

const textsOf = (condition: PlannedCondition): readonly string[] => {
  if ('text' in condition) return [condition.text];
  return 'between' in condition ? condition.between.flatMap(textsOf) : [];
};

function costOf(preset: string): PresetCost {
  const recipe = makeRecipe(preset);
  const estimate = estimateTraining(recipe, {
    stages: ['tokenizer', 'diffusion'],
    ...{ speed: 1, conditionDim: DEFAULT_CLIP.dim, pictures: { count: 1 } },
  });
  const { stages, preparation, seconds, range, memoryGB } = estimate;
  return {
    parameters: stages.reduce((sum, stage) => sum + stage.parameters, 0) / 1e6,
    memoryGB,
    stages: stages.map(({ stage, steps, seconds: own }) => ({ stage, steps, seconds: own })),
    secondsPerPicture: preparation ? preparation.readingSeconds + preparation.embeddingSeconds : 0,
    range: [range[0] / seconds, range[1] / seconds],
  };
}

serveThread<DrawingCalls>({
  async load({ folder }) {
    await end();
    generator = await Generator.load(folder, options);
    return { hash: generator.hash };
  },
  async open({ job, plan }) {
    await leave(job);
    drawings.set(job, drawing(opened(), plan));
    return { notes: await notesOf(opened(), plan) };
  },
  async next({ job }) {
    const one = drawings.get(job);
    if (!one) throw new UserError('The model was changed while this was drawn: draw it again');
    const { value, done } = await one.next();
    if (done) drawings.delete(job);
    return value ?? undefined;
  },
  leave: ({ job }) => leave(job),
  cost: ({ preset }) => costOf(preset),
  speed: () => machineSpeed(options),
  end: () => end(),
});
