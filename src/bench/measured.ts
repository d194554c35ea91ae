/** What steps of a training really take on this machine: a few of them are run, on zeros. */

import { int32, type NDArray, zeros } from '../base/ndarray.ts';
import { unflatten } from '../base/tree.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import type { Program } from '../graph/index.ts';
import type { Recipe } from '../recipe/schema.ts';
import { type StageName, stages } from '../training/stages.ts';
import { estimateTraining } from './estimate.ts';

/** Steps that are run: the first warms up. */
const STEPS = 4;
/** What is projected to take longer a step, or more memory, is not run for an estimate. */
const [MOST_SECONDS, MOST_GB] = [2, 3];

/** Seconds of a step, by stage, where a few of them are soon run. */
export type MeasuredSteps = Readonly<Partial<Record<StageName, number>>>;

/** Run a few steps of each stage that is small enough for it. */
export async function measureSteps(
  recipe: Recipe,
  names: readonly StageName[],
  conditionDim: number,
  speed: number,
  engineOptions: EngineOptions,
): Promise<MeasuredSteps> {
  const { stages: projected } = estimateTraining(recipe, { stages: names, speed, conditionDim });
  const measured: Partial<Record<StageName, number>> = {};
  for (const { stage, secondsPerStep, stateGB, activationsGB } of projected)
    if (secondsPerStep < MOST_SECONDS && stateGB + activationsGB < MOST_GB)
      measured[stage] = await secondsOf(stages[stage].cost(recipe, conditionDim).program, engineOptions);
  return measured;
}

/** The least time of a few runs of a program, in seconds; state and feeds are zeros. */
async function secondsOf(program: Program, engineOptions: EngineOptions): Promise<number> {
  const engine = Engine.start(engineOptions);
  try {
    const executable = await engine.compile(program);
    const state: Record<string, NDArray> = {};
    const feeds: Record<string, NDArray> = {};
    for (const [path, { shape, dtype }] of Object.entries(program.inputs)) {
      const blank = dtype === 'int32' ? int32(new Int32Array(shape.reduce((a, b) => a * b, 1)), shape) : zeros(shape);
      if (path.startsWith(STATE)) state[path.slice(STATE.length)] = blank;
      else feeds[path] = blank;
    }
    await engine.load(unflatten(state));
    const times: number[] = [];
    for (let i = 0; i < STEPS; i++) {
      const start = performance.now();
      await executable.run(feeds);
      times.push((performance.now() - start) / 1000);
    }
    return Math.min(...times.slice(1));
  } finally {
    await engine.close();
  }
}

const STATE = 'state.';
