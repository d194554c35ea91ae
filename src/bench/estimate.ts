/** What a training run will cost, read off the graphs of its steps before any of them runs. */

import type { Tree } from '../base/ndarray.ts';
import { trainingProgram as clipProgram } from '../clip/step.ts';
import { clipParameters } from '../clip/towers.ts';
import { scheduleOf, transformerConfig } from '../diffusion/model.ts';
import { trainingProgram as diffusionProgram, gradientProgram } from '../diffusion/programs.ts';
import { diffusionParameters } from '../diffusion/transformer.ts';
import { countFlop, type Program } from '../graph/index.ts';
import { blank, countParameters, type Parameter } from '../nn/parameters.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { StageName } from '../stage/stage.ts';
import { foreseen, planFor, planUnder } from '../training/memory.ts';
import { plannedStage } from '../training/planned-stages.ts';
import { lpipsParameters } from '../vqgan/lpips.ts';
import { tokenizerParameters } from '../vqgan/model.ts';
import { lpipsDistance } from '../vqgan/perceptual.ts';
import { trainingProgram as tokenizerProgram } from '../vqgan/programs.ts';
import { variantAt } from '../vqgan/schedule.ts';

export interface StageEstimate {
  readonly stage: StageName;
  readonly parameters: number;
  readonly steps: number;
  readonly batch: number;
  /** Matrix products and convolutions of a step, as they are executed: Winograd's count, not the definition's. */
  readonly gflopPerStep: number;
  /** Parts that a batch is computed in. */
  readonly parts: number;
  /** Parameters, optimiser state, average and gradients. */
  readonly stateGB: number;
  /** Intermediate values of a step at their peak. */
  readonly activationsGB: number;
  /** Of the process: both, with the program, the runtime, and a margin, but without the pictures and a CLIP of one's own. */
  readonly memoryGB: number;
  readonly secondsPerStep: number;
  readonly seconds: number;
}

export interface Estimate {
  readonly preset: string;
  /** Speed of this machine relative to the reference machine, as `machineSpeed` measures it. */
  readonly speed: number;
  readonly stages: readonly StageEstimate[];
  /** All stages together. */
  readonly seconds: number;
  /** Of the stage that needs most: stages come one after another. */
  readonly memoryGB: number;
}

export interface EstimateOptions {
  readonly stages: readonly StageName[];
  readonly speed: number;
  /** Width of the CLIP embedding that the diffusion model sees. */
  readonly conditionDim: number;
  /** Parts that are asked for. */
  readonly accumulate?: number | undefined;
  /** Bytes that the process may hold, which may take more parts. */
  readonly memory?: number | undefined;
}

/**
 * GFLOP/s of whole training steps on the reference machine, two cores with AVX2 at `machineSpeed` 1: measured on the stages of
 * nano, in the demo of a fresh clone. The tokenizer's narrow convolutions are far from the speed of large matrix products.
 */
const REFERENCE_GFLOPS: Readonly<Record<StageName, number>> = { clip: 52, tokenizer: 26, diffusion: 84, finetune: 84 };
/** What an update in place adds for each parameter: what arithmetic leaves of a measured step at 515 M parameters, batch 1 (docs/scale.md). */
const IN_PLACE_SECONDS = 4e-9;

/**
 * Parameters, arithmetic, memory and projected time of each stage.
 * @throws UserError if a stage does not fit into the memory it is given.
 */
export function estimateTraining(recipe: Recipe, options: EstimateOptions): Estimate {
  const { speed, conditionDim, accumulate, memory: limit } = options;
  const estimates = options.stages.map((stage, index): StageEstimate => {
    const { parameters, program, steps, batch } = work[stage](recipe, conditionDim);
    const flop = countFlop(program);
    const count = countParameters(parameters);
    const inPlace = (stage === 'diffusion' || stage === 'finetune') && recipe.diffusion.updateInPlace;
    const arithmetic = flop / 1e9 / REFERENCE_GFLOPS[stage];
    const secondsPerStep = (arithmetic + (inPlace ? count * IN_PLACE_SECONDS : 0)) / speed;
    const planned = plannedStage(stage, recipe, conditionDim);
    const { parts, footprint, bytes } =
      limit === undefined
        ? planFor(planned, accumulate, foreseen(stage, index))
        : planUnder(planned, accumulate, limit, foreseen(stage, index));
    return {
      stage,
      parameters: count,
      steps,
      batch,
      parts,
      gflopPerStep: flop / 1e9,
      stateGB: footprint.state / 1e9,
      activationsGB: footprint.activations / 1e9,
      memoryGB: bytes / 1e9,
      secondsPerStep,
      seconds: secondsPerStep * steps,
    };
  });
  return {
    preset: recipe.preset,
    speed,
    stages: estimates,
    seconds: estimates.reduce((sum, { seconds }) => sum + seconds, 0),
    memoryGB: Math.max(0, ...estimates.map(({ memoryGB }) => memoryGB)),
  };
}

interface Work {
  readonly parameters: Tree<Parameter>;
  /** The step that costs most. */
  readonly program: Program;
  readonly steps: number;
  readonly batch: number;
}

/** Tokens of a drawn face's caption, about. */
const CAPTION_TOKENS = 16;

const work: Readonly<Record<StageName, (recipe: Recipe, conditionDim: number) => Work>> = {
  clip({ clip }) {
    const { vocabulary, steps, batch } = clip;
    const parameters = clipParameters(clip, vocabulary);
    const rows = new Int32Array(vocabulary);
    const program = clipProgram({ settings: clip, parameters, rows, length: CAPTION_TOKENS });
    return { parameters, program, steps, batch };
  },
  tokenizer(recipe) {
    const { tokenizer, imageSize } = recipe;
    const { steps, batch, perceptualNet: net, perceptualWeight } = tokenizer;
    // Features of a CLIP are cheap beside those of LPIPS.
    const distance =
      perceptualWeight > 0 && net !== 'clip'
        ? lpipsDistance({ net, params: blank(lpipsParameters(net)), id: '' })
        : undefined;
    const program = tokenizerProgram(recipe, variantAt(tokenizer, steps - 1), distance);
    const parameters = tokenizerParameters(tokenizer, imageSize);
    return { parameters, program, steps, batch };
  },
  diffusion: (recipe, conditionDim) => denoiserWork(recipe, conditionDim),
  finetune: (recipe, conditionDim) =>
    denoiserWork({ ...recipe, diffusion: { ...recipe.diffusion, ...recipe.finetune } }, conditionDim),
};

function denoiserWork(recipe: Recipe, conditionDim: number): Work {
  const { diffusion } = recipe;
  const { steps, batch, updateInPlace } = diffusion;
  const config = transformerConfig(recipe, conditionDim);
  const parameters = diffusionParameters(config);
  const program = (updateInPlace ? gradientProgram : diffusionProgram)(config, scheduleOf(recipe), diffusion);
  return { parameters, program, steps, batch };
}
