/** What `clipvq train --estimate` prints. */

import type { Estimate } from '../bench/estimate.ts';
import { sizeText } from '../engine/memory/resident.ts';
import { duration } from './progress.ts';
import { table } from './table.ts';

/** A table of the stages, with the sum of the times and the largest memory. */
export function estimateLines({ preset, speed, stages, seconds, memoryGB }: Estimate): string[] {
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
    ...(stages.some(({ microBatches }) => microBatches > 1)
      ? ['Times and arithmetic are those of batches in one part: parts take longer (docs/performance.md).']
      : []),
    `In all ${duration(seconds)}; memory of the process in the largest stage ${sizeText(1e9 * memoryGB)}: parameters and optimiser state, activations, the runtime, and a margin.`,
  ];
}
