/**
 * How a demo fits into its minutes: the tokenizer by a measure of the machine, and then the diffusion model by what is
 * left and by what its own step takes there.
 */

import { makeRecipe } from '../recipe/recipe.ts';
import type { Recipe } from '../recipe/schema.ts';

/**
 * Minutes of a demo in all, so that with the installation and the build of a fresh clone it is done in seven. A machine
 * on which all steps take less ends sooner.
 */
export const DEMO_MINUTES = 6.4;

/**
 * Seconds of what is not a step of the diffusion model, on the machine that a speed of 1 means: a step of the tokenizer
 * with its pictures, drawn and decoded; codes and embedding of a picture; and at the end two models that answer
 * prompts, scores, measures and the sheet.
 */
const SECONDS = { start: 4, tokenizerStep: 0.029, encodedPicture: 0.0014, answers: 11 };
/** What a step takes in training beside what it takes alone: its batch, the log, checkpoints. */
const OVERHEAD = 1.06;
/** Fewest steps that a stage is cut to, and fewest pictures. */
const FEWEST = { steps: 4, pictures: 256 };
/** Of a demo's time, at most so much is the tokenizer's: what it learns is soon learned, and answers need the rest. */
const MOST_FOR_TOKENIZER = 0.25;

/**
 * Preset demo for so many minutes on a machine of this speed. Fewer pictures where the tokenizer has fewer steps; the
 * diffusion model has as many as it may have at most.
 */
export function demoRecipe(minutes: number, speed: number): Recipe {
  const recipe = makeRecipe('demo');
  const share = minutes / DEMO_MINUTES;
  const fits = (MOST_FOR_TOKENIZER * 60 * minutes * speed) / SECONDS.tokenizerStep;
  const steps = Math.max(FEWEST.steps, Math.round(Math.min(recipe.tokenizer.steps * share, fits)));
  const fewer = Math.min(1, steps / recipe.tokenizer.steps);
  return {
    ...recipe,
    images: Math.max(FEWEST.pictures, Math.round(recipe.images * fewer)),
    tokenizer: { ...recipe.tokenizer, steps },
    diffusion: withSteps(recipe, recipe.diffusion.steps * share),
  };
}

/** Seconds until the diffusion stage begins, as planned: what a demo that goes on has spent at most. */
export const plannedSeconds = ({ tokenizer }: Recipe, speed: number): number =>
  (SECONDS.start + SECONDS.tokenizerStep * tokenizer.steps) / speed;

/**
 * The same recipe with as many steps of the diffusion model as fit between `spent` seconds and the end.
 * @param perStep seconds of one of its steps on this machine, now.
 */
export function fittedDiffusion(
  recipe: Recipe,
  { minutes, spent, speed, perStep }: Readonly<Record<'minutes' | 'spent' | 'speed' | 'perStep', number>>,
): Recipe {
  const after = (SECONDS.encodedPicture * recipe.images + SECONDS.answers) / speed;
  const fits = (60 * minutes - spent - after) / (OVERHEAD * perStep);
  return { ...recipe, diffusion: withSteps(recipe, Math.min(recipe.diffusion.steps, fits)) };
}

/** The schedule's warm-up stays the share of the steps that the preset makes it. */
function withSteps({ diffusion }: Recipe, wanted: number): Recipe['diffusion'] {
  const steps = Math.max(FEWEST.steps, Math.round(wanted));
  const warmupSteps = Math.min(diffusion.warmupSteps, Math.ceil((diffusion.warmupSteps * steps) / diffusion.steps));
  return { ...diffusion, steps, warmupSteps };
}
