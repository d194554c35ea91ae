/** How long the stages of a run are, and what its schedules become when that is changed. */

import { UserError } from '../../base/errors.ts';
import { option } from '../../base/options.ts';
import { warmupCosine } from '../../optim/schedule.ts';
import type { Recipe } from '../../recipe/schema.ts';
import type { RunSettings } from '../../stage/context.ts';
import {
  discriminatorPhaseAt,
  firstQuantizedStep,
  isPerceptual,
  phaseAt,
  temperatureAt,
} from '../../vqgan/schedule.ts';
import type { StageName } from '../stages.ts';

/** Fewest steps that a stage is cut to. */
const FEWEST = 4;
const STAGES = ['clip', 'tokenizer', 'diffusion', 'finetune'] as const;

/** A recipe whose stage has another number of steps; a run that becomes shorter warms up for the same share of it. */
export function withSteps(recipe: Recipe, stage: StageName, steps: number): Recipe {
  const settings = recipe[stage];
  const share = Math.min(1, steps / Math.max(1, settings.steps));
  const warmupSteps = Math.ceil(settings.warmupSteps * share);
  return { ...recipe, [stage]: { ...settings, steps, warmupSteps } };
}

/** All stages `factor` times as long. */
export const scaledSteps = (recipe: Recipe, factor: number): Recipe =>
  STAGES.reduce((changed, stage) => {
    const { steps } = recipe[stage];
    return steps === 0 ? changed : withSteps(changed, stage, Math.max(FEWEST, Math.round(steps * factor)));
  }, recipe);

/** No stage longer than `most` steps: a new run whose schedules end there. */
export const cappedSteps = (recipe: Recipe, most: number): Recipe =>
  STAGES.reduce((changed, stage) => (recipe[stage].steps > most ? withSteps(changed, stage, most) : changed), recipe);

/** The settings of a new run whose stages end after `most` steps, with the steps that they would have otherwise. */
export function cappedSettings(settings: RunSettings, most: number): RunSettings {
  const { recipe } = settings;
  const capped = cappedSteps(recipe, most);
  if (STAGES.every((stage) => capped[stage].steps === recipe[stage].steps)) return settings;
  return {
    ...settings,
    recipe: capped,
    fullSteps: Object.fromEntries(STAGES.map((stage) => [stage, recipe[stage].steps])),
  };
}

/** `2x`, `+1000` or `3000`: how long a stage is to be that has `steps` now. */
export function longerSteps(text: string, steps: number): number {
  const [, factor, more, all] = /^(?:(\d+(?:\.\d+)?)x|\+(\d+)|(\d+))$/.exec(text) ?? [];
  const longer = factor ? Math.round(Number(factor) * steps) : more ? steps + Number(more) : Number(all);
  if (!Number.isSafeInteger(longer) || longer < 1)
    throw new UserError(
      `${option('longer', text)}: give 2x for twice as long, +1000 for so many more steps, or 3000 for so many in all`,
    );
  return longer;
}

/**
 * A stage of which `done` steps are trained becomes `steps` long. Its learning rate and temperature follow the new
 * length from there; phases that have begun stay begun.
 */
export function lengthened(recipe: Recipe, stage: StageName, steps: number, done: number): Recipe {
  const changed = withSteps(recipe, stage, steps);
  if (stage !== 'tokenizer' || done === 0) return changed;
  const before = recipe.tokenizer;
  const now = done - 1;
  // A share of the old steps that is a smaller share of the new ones.
  const kept = (share: number, hasBegun: boolean) =>
    hasBegun ? Math.min(share, (share * before.steps) / steps) : share;
  const tokenizer = {
    ...changed.tokenizer,
    autoencoderFraction: kept(before.autoencoderFraction, now >= firstQuantizedStep(before)),
    hardAfter: kept(before.hardAfter, phaseAt(before, now) === 'hard'),
    perceptualAfter: kept(before.perceptualAfter, isPerceptual(before, now)),
    discriminatorStart: kept(before.discriminatorStart, discriminatorPhaseAt(before, now) === 'active'),
  };
  return { ...changed, tokenizer };
}

/** What a change of length means for a stage, in a sentence. */
export function lengthNote(stage: StageName, before: Recipe, after: Recipe, done: number): string {
  const [old, next] = [before[stage], after[stage]];
  const from = Math.max(0, done - 1);
  const follows =
    stage === 'clip' || (stage === 'tokenizer' ? before.tokenizer.schedule : before[stage].schedule) === 'cosine';
  const rate = follows
    ? `its learning rate goes on at ${number(warmupCosine(next, done))} (it was ${number(warmupCosine(old, from))}) and falls to the new end`
    : 'its learning rate is not changed by that';
  const heat =
    stage === 'tokenizer'
      ? `, the temperature at ${number(temperatureAt(after.tokenizer, done))} (it was ${number(temperatureAt(before.tokenizer, from))}); phases that have begun stay`
      : '';
  return `${stage}: ${next.steps} steps instead of ${old.steps}, ${done} of them done; ${rate}${heat}`;
}

const number = (value: number): string => `${Number(value.toPrecision(3))}`;
