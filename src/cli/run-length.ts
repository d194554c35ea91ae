/** How long a run is to train, by its options. */

import { UserError } from '../base/errors.ts';
import { estimateTraining } from '../bench/estimate.ts';
import { machineSpeed } from '../bench/speed.ts';
import type { RecipeChanges } from '../recipe/recipe.ts';
import type { RunSettings } from '../run/directory.ts';
import { cappedSettings, scaledSteps } from '../training/lengths/lengths.ts';
import { suitedPreset } from '../training/lengths/lengths-for-pictures.ts';
import { type Suited, suitedToPictures } from '../training/lengths/suited.ts';
import { type StageName, stages } from '../training/stages.ts';
import type { MemoryOptions } from './memory.ts';
import { type CommonOptions, engineOptions } from './options.ts';
import { note } from './output.ts';
import { duration } from './progress.ts';

export interface LengthOptions {
  readonly resume?: boolean;
  readonly maxSteps?: number;
  readonly minutes?: number;
  readonly stepsScale?: number;
  readonly longer?: string;
  readonly changed?: 'go-on' | 'restart';
}

/**
 * @throws UserError where two options say how long the stages are, or one that is for new runs only, or for resumed
 * ones.
 */
export function checkLengths({ resume, maxSteps, minutes, stepsScale, longer, changed }: LengthOptions): void {
  const given = Object.entries({
    '--max-steps': maxSteps,
    '--minutes': minutes,
    '--steps-scale': stepsScale,
    '--longer': longer,
  })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);
  if (given.length > 1) throw new UserError(`${given.join(' and ')} both say how long to train: leave one of them out`);
  if (resume && (minutes !== undefined || stepsScale !== undefined))
    throw new UserError(`${given[0]} is for new runs: with --resume give --longer 2x, +1000 or 3000`);
  if (!resume && longer !== undefined)
    throw new UserError('--longer is for existing runs: add --resume, or set the steps of a new run (--steps-scale 2)');
  if (!resume && changed !== undefined) throw new UserError('--changed is for existing runs: add --resume');
}

/** Whether no option makes a new run shorter or longer than its recipe. */
export const isWholeLength = ({ maxSteps, minutes, stepsScale }: LengthOptions): boolean =>
  maxSteps === undefined && minutes === undefined && stepsScale === undefined;

/** The settings of a new run with as many steps as the options allow. */
export async function fitted(
  settings: RunSettings,
  names: readonly StageName[],
  conditionDim: number,
  {
    maxSteps,
    minutes,
    stepsScale,
    accumulate,
    ...options
  }: LengthOptions & CommonOptions & Pick<MemoryOptions, 'accumulate'>,
): Promise<RunSettings> {
  const { recipe } = settings;
  if (maxSteps !== undefined) return cappedSettings(settings, maxSteps);
  if (stepsScale !== undefined) return { ...settings, recipe: scaledSteps(recipe, stepsScale) };
  if (minutes === undefined) return settings;
  const speed = await machineSpeed(engineOptions(options));
  const trained = names.filter((name) => stages[name].isPartOf(settings));
  const { seconds } = estimateTraining(recipe, {
    stages: trained,
    speed,
    conditionDim,
    microBatches: accumulate,
  });
  const scale = (60 * minutes) / seconds;
  note(
    `This machine computes at ${speed.toFixed(2)} of the reference speed: the recipe would take about ${duration(seconds)}; its stages are made ${scale.toPrecision(2)} times as long, schedules included`,
  );
  return { ...settings, recipe: scaledSteps(recipe, scale) };
}

/** Lengths for the pictures of a preset's run; a recipe from a file is taken as it is. */
export const suitedLengths = async (
  settings: RunSettings,
  { recipe, set = {} }: { readonly recipe?: string; readonly set?: RecipeChanges },
) => (recipe === undefined ? suitedToPictures(settings, Object.keys(set)) : undefined);

/** Sentences of an estimate about the pictures. */
export function suitedLines({ pictures, note: changed }: Suited, preset: string): string[] {
  const suited = suitedPreset(pictures ?? 0);
  return [
    ...(changed === undefined ? [] : [`${changed}; --set diffusion.steps=… and tokenizer.steps=… choose others`]),
    ...(suited === preset
      ? []
      : [`For so many pictures preset ${suited} is suited: --preset ${suited} --estimate says what it costs`]),
  ];
}
