/** `clipvq train --estimate`: what a training costs on this machine. */

import { type Estimate, estimateTraining } from '../bench/estimate.ts';
import { measureSteps } from '../bench/measured.ts';
import type { PicturesToRead } from '../bench/preparation.ts';
import { machineSpeed } from '../bench/speed.ts';
import { openContainer } from '../data/sources/containers/open.ts';
import { isNamedSource } from '../data/sources/open.ts';
import { isPairsFile } from '../data/sources/pairs.ts';
import { lookAtClip } from '../embedding/sources/unopened.ts';
import { sizeText } from '../engine/memory/resident.ts';
import type { RunSettings } from '../run/directory.ts';
import { openResumed } from '../training/resumed.ts';
import { stages } from '../training/stages.ts';
import { checkAccumulate } from './memory.ts';
import { engineOptions } from './options.ts';
import { printResult } from './output.ts';
import { duration, durations } from './progress.ts';
import { suitedLengths, suitedLines } from './run-length.ts';
import { table } from './table.ts';
import type { TrainCommandOptions } from './train-options.ts';
import { chosenStages, newSettings, openOrigin, resumeOptions } from './train-settings.ts';

/** A table of the stages, with the sum of the times and the largest memory. */
function estimateLines({ preset, speed, stages, preparation, seconds, range, memoryGB }: Estimate): string[] {
  const rows = stages.map(
    ({ stage, parameters, batch, microBatches, gflopPerStep, stateGB, activationsGB, memoryGB, ...time }) => [
      stage,
      `${(parameters / 1e6).toFixed(1)} M`,
      microBatches === 1 ? `${batch}` : `${microBatches} x ${batch / microBatches}`,
      `${gflopPerStep.toPrecision(3)}`,
      sizeText(1e9 * stateGB),
      sizeText(1e9 * activationsGB),
      sizeText(1e9 * memoryGB),
      `${time.secondsPerStep.toPrecision(2)} s`,
      `${time.steps}`,
      duration(time.seconds),
    ],
  );
  const header = [
    'stage',
    'parameters',
    'batch',
    'GFLOP/step',
    'state',
    'activations',
    'memory',
    'time/step',
    'steps',
    'time',
  ];
  return [
    `Preset ${preset}, on a machine of ${speed.toFixed(2)} times the reference speed:`,
    ...table([header, ...rows]),
    howKnown(stages),
    ...(stages.some(({ microBatches }) => microBatches > 1)
      ? ['Times and arithmetic are those of whole batches: micro-batches take longer (docs/performance.md).']
      : []),
    preparation
      ? `${preparation.pictures} pictures: ${duration(preparation.readingSeconds)} to look at and decode them, ${duration(preparation.embeddingSeconds)} for their codes and CLIP embeddings, once.`
      : 'Without the time for reading and embedding pictures: name them with --data.',
    `In all about ${duration(seconds)} (${durations(range)}); memory of the process in the largest stage ${sizeText(1e9 * memoryGB)}: parameters and optimiser state, activations, the runtime, and a margin.`,
  ];
}

/** Which times were measured. */
function howKnown(stages: Estimate['stages']): string {
  const named = (isMeasured: boolean) =>
    stages.flatMap((one) => (one.isMeasured === isMeasured ? [one.stage] : [])).join(', ');
  const [measured, projected] = [named(true), named(false)];
  if (measured === '')
    return 'Times are projected from the arithmetic; steps of this size are not run for an estimate.';
  return `Measured by running a few steps: ${measured}${projected === '' ? '' : `; projected from the arithmetic: ${projected}`}.`;
}

/** How many pictures an estimate is of: entries are counted, and none is opened. */
async function picturesToRead(
  data: string | undefined,
  { recipe }: Pick<RunSettings, 'recipe'>,
): Promise<PicturesToRead | undefined> {
  if (data === undefined || isPairsFile(data)) return undefined;
  if (data === 'faces') return { count: recipe.images, megapixels: 0 };
  if (isNamedSource(data)) return undefined;
  const container = await openContainer(data);
  await container.close();
  return { count: container.names.length };
}

/** What the pictures of an estimate are called where none are named. */
const NO_DATA = 'pictures';

/** Estimate a training and print it: no picture is opened and nothing is written. */
export async function printEstimate(options: TrainCommandOptions): Promise<void> {
  const isResumed = options.resume && options.run !== undefined;
  const given = isResumed
    ? openResumed(options.run!, resumeOptions(options)).settings
    : newSettings({ data: NO_DATA, ...options }, options.from ? openOrigin(options.from, options) : undefined);
  const isNew = !isResumed && options.from === undefined && options.data !== undefined;
  const suited = isNew ? await suitedLengths(given, options) : undefined;
  const settings = suited?.settings ?? given;
  const names = chosenStages(options, settings).filter((name) => stages[name].isPartOf(settings));
  const { recipe } = settings;
  const { dim: conditionDim, isCompact } =
    settings.clip === 'compact' ? { dim: recipe.clip.dim, isCompact: true } : lookAtClip(settings.clip, options);
  const speed = await machineSpeed(engineOptions(options));
  const { accumulate, memory } = options;
  // In micro-batches, or in little memory, a step is another one.
  const isWhole = accumulate === undefined && memory === undefined;
  const measured = isWhole ? await measureSteps(recipe, names, conditionDim, speed, engineOptions(options)) : undefined;
  for (const name of names) checkAccumulate(accumulate, stages[name].plan(recipe, conditionDim));
  const result = estimateTraining(recipe, {
    stages: names,
    speed,
    pictures: await picturesToRead(options.data, settings),
    conditionDim,
    isPretrained: !isCompact,
    microBatches: accumulate,
    memory,
    measured,
  });
  const advice = suited?.pictures === undefined ? [] : suitedLines(suited, recipe.preset);
  printResult(options.json ?? false, result, () => [...estimateLines(result), ...advice]);
}
