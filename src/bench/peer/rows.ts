/** The rows of the comparison with PyTorch: which jobs, of which sizes. */

import { transformerConfig } from '../../diffusion/model.ts';
import { exactPlan } from '../../diffusion/samplers/chain.ts';
import type { TransformerConfig } from '../../diffusion/transformer.ts';
import { presets } from '../../recipe/recipe.ts';
import type { Recipe } from '../../recipe/schema.ts';
import { type Job, type JobOf, TIMESTEPS } from './jobs.ts';

export interface Row {
  readonly name: string;
  readonly what: string;
  readonly job: Job;
  /** The least ratio of medians, PyTorch over ours, that this row should reach. */
  readonly target?: number;
}

/** The published ones. */
const ENDS = [0.99999, 0.000009, 0.000009, 0.99999] as const;
/** One of so many values is compared where whole tensors would be too much to send. */
const STRIDE = 101;

/** A denoiser of these sizes, in whose blocks convolutions follow attention. */
export const transformer = (
  layers: number,
  dim: number,
  heads: number,
  grid: number,
  codes: number,
): TransformerConfig => ({
  layers,
  dim,
  heads,
  mlp: 'conv',
  mlpRatio: 4,
  timesteps: TIMESTEPS,
  codes,
  grid,
  conditionDim: 512,
});

/** A training step of the diffusion model. */
export function trainRow(name: string, sizes: TransformerConfig, batch: number, inPlace = false): Row {
  const { layers, dim, grid, codes, mlp } = sizes;
  const optimizer = { lr: 1e-4, beta1: 0.9, beta2: 0.96, weightDecay: 0.045, clipNorm: 0.5, emaDecay: 0.99 };
  return {
    name,
    what: `diffusion training step, ${layers} x ${dim}, ${grid}x${grid} tokens, K ${codes}, ${mlp} MLP, batch ${batch}`,
    job: { kind: 'train', transformer: sizes, schedule: ENDS, auxiliaryWeight: 5e-4, batch, optimizer, inPlace },
    target: 2.5,
  };
}

type TokenizerRecipe = Pick<Recipe, 'preset' | 'imageSize' | 'tokenizer'>;

function tokenizerRow(name: string, { preset, imageSize, tokenizer }: TokenizerRecipe): Row {
  const { learningRate: lr, beta1, beta2, channels, patchSize, codes, batch, klWeight } = tokenizer;
  return {
    name,
    what: `tokenizer training step (L1 + KL, soft codes), ${imageSize}x${imageSize} pixels, preset ${preset}: ${channels} channels, patches of ${patchSize}, K ${codes}, batch ${batch}`,
    job: {
      kind: 'tokenizer',
      imageSize,
      tokenizer,
      temperature: 0.9,
      klWeight,
      optimizer: { lr: lr / 10, beta1, beta2, weightDecay: 0 },
    },
    target: 1.3,
  };
}

/** A guided reverse step. */
export function reverseRow(
  name: string,
  sizes: TransformerConfig,
  batch: number,
): Row & { readonly job: JobOf<'reverse'> } {
  const { layers, dim, grid, codes, mlp } = sizes;
  return {
    name,
    what: `guided reverse step t = 50 -> 49, ${layers} x ${dim}, ${grid}x${grid} tokens, K ${codes}, ${mlp} MLP, batch ${batch}`,
    job: {
      kind: 'reverse',
      transformer: sizes,
      schedule: ENDS,
      auxiliaryWeight: 5e-4,
      batch,
      from: 50,
      to: 49,
      guidanceScale: 2,
      truncation: 0.85,
      stride: STRIDE * batch,
    },
    target: 3,
  };
}

function imageRow(): Row {
  const recipe = presets.nano;
  const { diffusion, imageSize, tokenizer } = recipe;
  const { steps, guidanceScale, truncation } = recipe.sampling;
  const { alphaBarStart, alphaBarEnd, gammaBarStart, gammaBarEnd } = diffusion;
  const plan = exactPlan(diffusion.timesteps, steps);
  return {
    name: 'image',
    what: `one picture at the default settings of preset nano: ${steps} guided reverse steps and the decoder (the text's embedding not counted)`,
    job: {
      kind: 'image',
      transformer: pick(transformerConfig(recipe, recipe.clip.dim)),
      schedule: [alphaBarStart, alphaBarEnd, gammaBarStart, gammaBarEnd],
      auxiliaryWeight: diffusion.auxiliaryWeight,
      imageSize,
      tokenizer,
      times: [plan[0]!.from, ...plan.map(({ to }) => to)],
      guidanceScale,
      truncation,
      stride: STRIDE,
    },
  };
}

/** The sizes alone: a configuration made from a recipe carries the other settings along. */
const pick = ({ layers, dim, heads, mlp, mlpRatio, timesteps, codes, grid, conditionDim }: TransformerConfig) => ({
  layers,
  dim,
  heads,
  mlp,
  mlpRatio,
  timesteps,
  codes,
  grid,
  conditionDim,
});

/** What is measured by default. */
export const rows: readonly Row[] = [
  trainRow('train-4x256', transformer(4, 256, 8, 16, 1024), 4),
  trainRow('train-6x256', transformer(6, 256, 8, 8, 512), 32),
  trainRow('train-12x384', transformer(12, 384, 12, 16, 1024), 4),
  tokenizerRow('tokenizer-64', presets.nano),
  tokenizerRow('tokenizer-128', presets.base),
  reverseRow('reverse-1', transformer(4, 256, 8, 16, 1024), 1),
  reverseRow('reverse-16', transformer(4, 256, 8, 16, 1024), 16),
  imageRow(),
];

const BASE = { ...transformer(12, 384, 12, 16, 1024), mlp: presets.base.diffusion.mlp };
const PAPER = transformer(24, 512, 16, 16, 4096);
const TINY = transformer(1, 32, 2, 4, 64);
/** Small, and yet wide enough for its convolutions to be computed as those of the presets are. */
export const TINY_TOKENIZER = {
  preset: 'nano, shrunk',
  imageSize: 16,
  tokenizer: { ...presets.nano.tokenizer, channels: 32, batch: 4 },
};

/** What is measured only when named: sizes for a GPU, and sizes that try the machinery out. */
export const moreRows: readonly Row[] = [
  trainRow('train-12x384-32', transformer(12, 384, 12, 16, 1024), 32),
  trainRow('train-base', BASE, presets.base.diffusion.batch),
  trainRow('train-base-32', BASE, 32),
  trainRow('train-ffhq-4', PAPER, 4, true),
  trainRow('train-ffhq-16', PAPER, 16, true),
  tokenizerRow('tokenizer-128-16', { ...presets.base, tokenizer: { ...presets.base.tokenizer, batch: 16 } }),
  reverseRow('reverse-base-1', BASE, 1),
  reverseRow('reverse-base-16', BASE, 16),
  reverseRow('reverse-ffhq-1', PAPER, 1),
  reverseRow('reverse-ffhq-16', PAPER, 16),
  trainRow('train-tiny', TINY, 2),
  trainRow('train-tiny-in-place', TINY, 2, true),
  reverseRow('reverse-tiny', TINY, 2),
  tokenizerRow('tokenizer-tiny', TINY_TOKENIZER),
];
