/** What a training run will cost, read off the graphs of its steps before any of them runs. */

import { countFlop } from '../graph/index.ts';
import { countParameters } from '../nn/parameters.ts';
import type { Recipe } from '../recipe/schema.ts';
import { expectedBaseline, planFor, planUnder } from '../training/memory.ts';
import { type StageName, stages } from '../training/stages.ts';
import { type PicturesToRead, type Preparation, preparationOf } from './preparation.ts';

export interface StageEstimate {
  readonly stage: StageName;
  readonly parameters: number;
  readonly steps: number;
  readonly batch: number;
  /** Matrix products and convolutions of a step, as they are executed: Winograd's count, not the definition's. */
  readonly gflopPerStep: number;
  /** Micro-batches that a batch is computed in. */
  readonly microBatches: number;
  /** Parameters, optimiser state, average and gradients. */
  readonly stateGB: number;
  /** Intermediate values of a step at their peak. */
  readonly activationsGB: number;
  /**
   * Of the process: both, with the program, the runtime, and a margin, but without the pictures and a CLIP of one's
   * own.
   */
  readonly memoryGB: number;
  readonly secondsPerStep: number;
  readonly seconds: number;
}

export interface Estimate {
  readonly preset: string;
  /** Speed of this machine relative to the reference machine, as `machineSpeed` measures it. */
  readonly speed: number;
  readonly stages: readonly StageEstimate[];
  /** Reading, encoding and embedding the pictures, where it is known how many they are. */
  readonly preparation: Preparation | undefined;
  /** All stages together, and the preparation. */
  readonly seconds: number;
  /**
   * What that may become, in seconds: a machine that is used besides is slower, and one with better libraries faster.
   */
  readonly range: readonly [number, number];
  /** Of the stage that needs most: stages come one after another. */
  readonly memoryGB: number;
}

export interface EstimateOptions {
  readonly stages: readonly StageName[];
  readonly speed: number;
  /** Width of the CLIP embedding that the diffusion model sees. */
  readonly conditionDim: number;
  /** Micro-batches that a batch is computed in, where it has so many pictures. */
  readonly microBatches?: number | undefined;
  /** The pictures to learn from, if they are known. */
  readonly pictures?: PicturesToRead | undefined;
  /** Whether pictures are embedded by a CLIP of ViT-B/32's size; by default where no stage trains one. */
  readonly isPretrained?: boolean | undefined;
  /** Bytes that the process may hold, which may take more of them. */
  readonly memory?: number | undefined;
}

/** An allowance, not a measurement: machines differ in what they are fast at, and do other things besides. */
const SPREAD = [0.7, 1.6] as const;

/**
 * Parameters, arithmetic, memory and projected time of each stage.
 * @throws UserError if a stage does not fit into the memory it is given.
 */
export function estimateTraining(recipe: Recipe, options: EstimateOptions): Estimate {
  const { speed, conditionDim, memory: limit } = options;
  const estimates = options.stages.map((name, index): StageEstimate => {
    const stage = stages[name];
    const { parameters, program, steps, batch, referenceGflops, secondsPerParameter } = stage.cost(
      recipe,
      conditionDim,
    );
    const flop = countFlop(program);
    const count = countParameters(parameters);
    const secondsPerStep = (flop / 1e9 / referenceGflops + count * secondsPerParameter) / speed;
    const planned = stage.plan(recipe, conditionDim);
    const baseline = expectedBaseline(stage, index);
    const { microBatches, footprint, bytes } =
      limit === undefined
        ? planFor(planned, options.microBatches, baseline)
        : planUnder(planned, options.microBatches, limit, baseline);
    return {
      stage: name,
      parameters: count,
      steps,
      batch,
      microBatches,
      gflopPerStep: flop / 1e9,
      stateGB: footprint.state / 1e9,
      activationsGB: footprint.activations / 1e9,
      memoryGB: bytes / 1e9,
      secondsPerStep,
      seconds: secondsPerStep * steps,
    };
  });
  const { isPretrained = !options.stages.includes('clip') } = options;
  const preparation = options.pictures && preparationOf(recipe, options.pictures, { speed, isPretrained });
  const preparing = preparation ? preparation.readingSeconds + preparation.embeddingSeconds : 0;
  const seconds = estimates.reduce((sum, stage) => sum + stage.seconds, preparing);
  return {
    preset: recipe.preset,
    speed,
    stages: estimates,
    preparation,
    seconds,
    range: [SPREAD[0] * seconds, SPREAD[1] * seconds],
    memoryGB: Math.max(0, ...estimates.map(({ memoryGB }) => memoryGB)),
  };
}
