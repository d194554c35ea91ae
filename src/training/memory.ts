/** How a stage is kept under a limit of memory: what it will need is read off its programs, and its batch is cut into parts that fit. */

import { type DiffusionRecipe, scheduleOf, transformerConfig } from '../diffusion/model.ts';
import { stepPrograms as diffusionPrograms } from '../diffusion/programs.ts';
import { UserError } from '../errors.ts';
import { float32, type NDArray, sizeOf, type Tree } from '../ndarray.ts';
import type { Parameter } from '../nn/parameters.ts';
import { divisors, partsOf } from '../optim/micro-batches.ts';
import type { TokenizerRecipe } from '../recipe.ts';
import { type Footprint, plannedFootprint, totalBytes } from '../runtime/footprint.ts';
import { type Mapped, mapTree } from '../tree.ts';
import { lpipsParameters } from '../vqgan/lpips.ts';
import { lpipsDistance, type PerceptualDistance } from '../vqgan/perceptual.ts';
import { stagePrograms as tokenizerPrograms } from '../vqgan/step.ts';
import type { StageName } from './stage.ts';

/** A stage as it can be planned: its batch, and what it needs when that is computed in parts. */
export interface PlannedStage {
  readonly name: StageName;
  readonly batch: number;
  /** Whether the batch can be computed in parts at all. */
  readonly divides: boolean;
  footprint(parts: number): Footprint;
  /** What makes it smaller, beside its batch, if state or activations are what is large. */
  readonly smaller: { readonly state: string; readonly activations: string };
}

export interface MemoryPlan {
  readonly parts: number;
  readonly footprint: Footprint;
  /** Of the process, at the stage's peak, with the margin: what is compared with the limit. */
  readonly bytes: number;
}

/** What the process holds before its first stage: Node, this program and its libraries, as measured (docs/performance.md). */
export const PROCESS_BYTES = 170e6;

/** Activations come out larger than their sum by what falls between them; the rest is steadier (docs/performance.md). */
const [ACTIVATION_MARGIN, FIXED_MARGIN] = [0.2, 40e6];

/** What a process that now holds `base` will hold at the peak of a stage, the safety margin included. */
export const peakBytes = (footprint: Footprint, base: number): number =>
  base + totalBytes(footprint) + ACTIVATION_MARGIN * footprint.activations + FIXED_MARGIN;

/** A plan without a limit. */
export function planFor(stage: PlannedStage, asked: number | undefined, base: number): MemoryPlan {
  const parts = stage.divides ? partsOf(stage.batch, asked) : 1;
  const footprint = stage.footprint(parts);
  return { parts, footprint, bytes: peakBytes(footprint, base) };
}

/**
 * The fewest parts, `asked` at least, with which a stage stays under `limit` bytes.
 * @throws UserError if it does not even picture by picture, with what it needs and what would lower that.
 */
export function planUnder(
  stage: PlannedStage,
  asked: number | undefined,
  { limit, base }: { readonly limit: number; readonly base: number },
): MemoryPlan {
  let plan = planFor(stage, asked, base);
  for (const parts of stage.divides ? divisors(stage.batch) : []) {
    if (plan.bytes <= limit) break;
    if (parts > plan.parts) plan = planFor(stage, parts, base);
  }
  if (plan.bytes <= limit) return plan;
  const { state, activations } = plan.footprint;
  const { name, smaller } = stage;
  throw new UserError(
    `${name}: needs about ${gigabytes(plan.bytes)}${stage.divides ? ', even one picture at a time,' : ''} and --memory allows ${gigabytes(limit)}: allow more, or lower ${smaller[state > activations ? 'state' : 'activations']}`,
  );
}

/** What is said about a plan that differs from what was asked for. */
export const planLine = ({ name, batch }: PlannedStage, { parts, bytes }: MemoryPlan, limit: number): string =>
  `${name}: batch ${batch} in ${parts} parts of ${batch / parts} to stay under ${gigabytes(limit)}: about ${gigabytes(bytes)}`;

/** Bytes as a person reads them: 3.1 GB, 240 MB. */
export const gigabytes = (bytes: number): string =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;

/** The tokenizer, with the distance it will look through, or weights of zeros in its place. */
export function tokenizerMemory(recipe: TokenizerRecipe, perceptual = blankLpips(recipe)): PlannedStage {
  return {
    name: 'tokenizer',
    batch: recipe.tokenizer.batch,
    divides: true,
    footprint: (parts) => plannedFootprint(tokenizerPrograms(recipe, perceptual, parts)),
    smaller: { state: 'tokenizer.channels', activations: 'tokenizer.channels or imageSize' },
  };
}

/** The diffusion model in one of its stages. `recipe.diffusion` holds the settings of that stage. */
export function denoiserMemory(
  name: 'diffusion' | 'finetune',
  recipe: DiffusionRecipe,
  conditionDim: number,
): PlannedStage {
  const config = transformerConfig(recipe, conditionDim);
  return {
    name,
    batch: recipe.diffusion.batch,
    divides: true,
    footprint: (parts) => plannedFootprint(diffusionPrograms(config, scheduleOf(recipe), recipe.diffusion, parts)),
    smaller: { state: 'diffusion.layers or diffusion.dim', activations: 'diffusion.layers or diffusion.dim' },
  };
}

/** LPIPS of the right shapes. Features of a CLIP are cheap beside it, and not known before there is one. */
function blankLpips({ tokenizer }: TokenizerRecipe): PerceptualDistance | undefined {
  const { perceptualNet: net, perceptualWeight } = tokenizer;
  if (perceptualWeight === 0 || net === 'clip') return undefined;
  return lpipsDistance({ net, params: blank(lpipsParameters(net)), id: '' });
}

/** Zeros in place of weights: only their shapes matter here. */
function blank<P extends Tree<Parameter>>(parameters: P): Mapped<P, NDArray<'float32'>>;
function blank(parameters: Tree<Parameter>): Tree<NDArray<'float32'>> {
  return mapTree(parameters, ({ shape }: Parameter) => float32(new Float32Array(sizeOf(shape)), shape));
}
