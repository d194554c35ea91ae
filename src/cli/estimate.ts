/** What `clipvq train --estimate` prints. */

import type { Estimate } from '../evaluation/estimate.ts';
import { duration } from './progress.ts';
import { table } from './table.ts';

/** A table of the stages, with the sum of the times and the largest memory. */
export function estimateLines({ preset, speed, stages, seconds, memoryGB }: Estimate): string[] {
  const rows = stages.map(({ stage, parameters, batch, gflopPerStep, memoryGB, secondsPerStep, steps, seconds }) => [
    stage,
    `${(parameters / 1e6).toFixed(1)} M`,
    `${batch}`,
    `${gflopPerStep.toPrecision(3)}`,
    `${memoryGB.toFixed(1)} GB`,
    `${secondsPerStep.toPrecision(2)} s`,
    `${steps}`,
    duration(seconds),
  ]);
  const header = ['stage', 'parameters', 'batch', 'GFLOP/step', 'memory', 'time/step', 'steps', 'time'];
  return [
    `Preset ${preset}, on a machine of ${speed.toFixed(2)} times the reference speed:`,
    ...table([header, ...rows]),
    `In all ${duration(seconds)}; memory for the largest stage ${memoryGB.toFixed(1)} GB, beside the pictures and the runtime.`,
  ];
}
