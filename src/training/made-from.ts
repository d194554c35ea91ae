/** What each stage is made from, in parts that can be compared one by one: a checkpoint says which of them have changed. */

import type { Recipe } from '../recipe/schema.ts';
import { fingerprint } from '../run/directory.ts';
import type { Lineage } from '../stage/stage.ts';

/** Settings that only say how long and how fast: a stage goes on under others. */
const SCHEDULE: readonly string[] = [
  'steps',
  'learningRate',
  'warmupSteps',
  'minLearningRate',
  'autoencoderFraction',
  'hardAfter',
  'perceptualAfter',
  'discriminatorStart',
  'discriminatorWarmup',
  'klWarmup',
];

/** Settings in two parts: those that a stage cannot change on its way, and its schedule. */
export function settingsParts(
  settings: Readonly<Record<string, unknown>>,
  seed: number,
  ...more: readonly unknown[]
): Lineage {
  const entries = Object.entries(settings);
  const pick = (isSchedule: boolean) =>
    Object.fromEntries(entries.filter(([name]) => SCHEDULE.includes(name) === isSchedule));
  return {
    settings: fingerprint(JSON.stringify([pick(false), ...more])),
    schedule: fingerprint(JSON.stringify(pick(true))),
    seed: `${seed}`,
  };
}

export const clipMadeFrom = ({ clip }: Recipe, seed: number, pairs: string): Lineage => ({
  ...settingsParts(clip, seed),
  pairs,
});

export const tokenizerMadeFrom = (
  { tokenizer, imageSize }: Pick<Recipe, 'tokenizer' | 'imageSize'>,
  seed: number,
  { pictures, perceptual, origins }: { pictures: string; perceptual: string | undefined; origins: readonly string[] },
): Lineage => ({
  ...settingsParts(tokenizer, seed, imageSize),
  pictures,
  ...(perceptual !== undefined && { perceptual }),
  ...(origins.length > 0 && { origin: origins.join() }),
});

/** `recipe.diffusion` holds the settings of the stage; `made` are the hashes of pictures and models. */
export const denoiserMadeFrom = ({ diffusion }: Pick<Recipe, 'diffusion'>, seed: number, made: Lineage): Lineage => ({
  ...settingsParts(diffusion, seed),
  ...made,
});
