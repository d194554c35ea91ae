/** What a training run will cost, read off the graphs of its steps before any of them runs. */

import { trainingProgram as clipProgram } from '../clip/step.ts';
import { clipParameters } from '../clip/towers.ts';
import { scheduleOf, transformerConfig } from '../diffusion/model.ts';
import { trainingProgram as diffusionProgram, gradientProgram } from '../diffusion/programs.ts';
import { diffusionParameters } from '../diffusion/transformer.ts';
import { bytes, type Program, programCost } from '../graph/index.ts';
import { float32, type NDArray, sizeOf, type Tree } from '../ndarray.ts';
import { countParameters, type Parameter } from '../nn/parameters.ts';
import type { Recipe } from '../recipe.ts';
import type { StageName } from '../training/stage.ts';
import { type Mapped, mapTree } from '../tree.ts';
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
  /** Optimiser state and the tensors of a step, without the program, the pictures and the runtime's own overhead. */
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
}

/**
 * GFLOP/s of whole training steps on the reference machine, two cores with AVX2 at `machineSpeed` 1: measured on the stages of
 * nano, in the demo of a fresh clone. The tokenizer's narrow convolutions are far from the speed of large matrix products.
 */
const REFERENCE_GFLOPS: Readonly<Record<StageName, number>> = { clip: 52, tokenizer: 20, diffusion: 84, finetune: 84 };
/** What an update in place adds for each parameter: 16 of the 19.5 seconds of a measured step at 515 M parameters. */
const IN_PLACE_SECONDS = 31e-9;

/** Parameters, arithmetic, memory and projected time of each stage. */
export function estimateTraining(recipe: Recipe, { stages, speed, conditionDim }: EstimateOptions): Estimate {
  const estimates = stages.map((stage): StageEstimate => {
    const { parameters, program, steps, batch, stateBytes } = work[stage](recipe, conditionDim);
    const { flop, workingBytes } = programCost(program);
    const count = countParameters(parameters);
    const inPlace = (stage === 'diffusion' || stage === 'finetune') && recipe.diffusion.updateInPlace;
    const arithmetic = flop / 1e9 / REFERENCE_GFLOPS[stage];
    const secondsPerStep = (arithmetic + (inPlace ? count * IN_PLACE_SECONDS : 0)) / speed;
    return {
      stage,
      parameters: count,
      steps,
      batch,
      gflopPerStep: flop / 1e9,
      memoryGB: (stateBytes + workingBytes) / 1e9,
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
  /** What stays in memory between steps. */
  readonly stateBytes: number;
}

/** Tokens of a drawn face's caption, about. */
const CAPTION_TOKENS = 16;

const work: Readonly<Record<StageName, (recipe: Recipe, conditionDim: number) => Work>> = {
  clip({ clip }) {
    const { vocabulary, steps, batch } = clip;
    const parameters = clipParameters(clip, vocabulary);
    const rows = new Int32Array(vocabulary);
    const program = clipProgram({ settings: clip, parameters, rows, length: CAPTION_TOKENS });
    return { parameters, program, steps, batch, stateBytes: twoBuffers(program) };
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
    return { parameters, program, steps, batch, stateBytes: twoBuffers(program) };
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
  // In place: weights, gradients, two moments, and the average.
  const stateBytes = updateInPlace ? 5 * 4 * countParameters(parameters) : twoBuffers(program);
  return { parameters, program, steps, batch, stateBytes };
}

/** State that takes turns between two buffers. */
const twoBuffers = ({ inputs }: Program): number =>
  Object.entries(inputs).reduce((sum, [name, tensor]) => sum + (name.startsWith('state.') ? 2 * bytes(tensor) : 0), 0);

/** Zeros in place of weights: only their shapes matter here. */
function blank<P extends Tree<Parameter>>(parameters: P): Mapped<P, NDArray<'float32'>>;
function blank(parameters: Tree<Parameter>): Tree<NDArray<'float32'>> {
  return mapTree(parameters, ({ shape }: Parameter) => float32(new Float32Array(sizeOf(shape)), shape));
}
