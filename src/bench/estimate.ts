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
   * Of the process: both, with the program, the runtime, and a margin, but without the pictures and a CLIP that is
   * trained in the run.
   */
  readonly memoryGB: number;
  readonly secondsPerStep: number;
  /** Whether that was measured by running steps; otherwise it is projected from the arithmetic. */
  readonly isMeasured: boolean;
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
   * What that may become, in seconds. Of stages that were measured the allowance is small; of others it is large:
   * machines differ in what they are fast at, and do other things besides.
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
  /** Seconds of a step, by stage, where some were run (`measureSteps`). */
  readonly measured?: Readonly<Partial<Record<StageName, number>>> | undefined;
  /** Bytes that the process may hold, which may take more of them. */
  readonly memory?: number | undefined;
}

/** Allowances around times that are projected, and around those of steps that were run. */
const [PROJECTED, MEASURED] = [
  [0.7, 1.6],
  [0.85, 1.3],
] as const;

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
    const measured = options.measured?.[name];
    const secondsPerStep = measured ?? (flop / 1e9 / referenceGflops + count * secondsPerParameter) / speed;
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
      isMeasured: measured !== undefined,
      seconds: secondsPerStep * steps,
    };
  });
  const { isPretrained = !options.stages.includes('clip') } = options;
  const preparation = options.pictures && preparationOf(recipe, options.pictures, { speed, isPretrained });
  const preparing = preparation ? preparation.readingSeconds + preparation.embeddingSeconds : 0;
  const seconds = estimates.reduce((sum, stage) => sum + stage.seconds, preparing);
  const bound = (side: 0 | 1) =>
    estimates.reduce(
      (sum, stage) => sum + (stage.isMeasured ? MEASURED : PROJECTED)[side] * stage.seconds,
      PROJECTED[side] * preparing,
    );
  return {
    preset: recipe.preset,
    speed,
    stages: estimates,
    preparation,
    seconds,
    range: [bound(0), bound(1)],
    memoryGB: Math.max(0, ...estimates.map(({ memoryGB }) => memoryGB)),
  };
}
