/**
 * What a stage is made from, in parts that can be compared one by one: a checkpoint says which of them have changed.
 */

import { fingerprint } from './fingerprint.ts';
import type { Lineage } from './stage.ts';

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

/** Settings in two parts: those that a stage cannot change on its way, with what else shapes it, and its schedule. */
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
