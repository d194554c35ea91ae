/** What is measured against PyTorch: one job a row of the table, with the weights and feeds that both sides start from. */

import { pseudoText } from '../../diffusion/condition.ts';
import { corrupt } from '../../diffusion/corrupt.ts';
import { transformerConfig } from '../../diffusion/model.ts';
import { exactPlan } from '../../diffusion/samplers/chain.ts';
import { maskReplaceSchedule, type Schedule } from '../../diffusion/schedule.ts';
import { diffusionParameters, type TransformerConfig } from '../../diffusion/transformer.ts';
import { float32, int32, type NDArray, type Tree } from '../../ndarray.ts';
import { initializeEach, type Parameter } from '../../nn/parameters.ts';
import { gumbelBatch, integers, normalBatch, uniforms } from '../../random/noise.ts';
import { type DiffusionSettings, gridSize, presets, type TokenizerSettings } from '../../recipe.ts';
import { tokenizerParameters } from '../../vqgan/model.ts';

interface Optimizer {
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly weightDecay: number;
  readonly clipNorm?: number;
  readonly emaDecay?: number;
}

/** The denoiser of a job. `schedule` is alphaBarStart, alphaBarEnd, gammaBarStart, gammaBarEnd. */
interface Denoising {
  readonly transformer: TransformerConfig;
  readonly schedule: readonly [number, number, number, number];
  readonly auxiliaryWeight: number;
}

/** Everything about a row that both sides have to know, as JSON. */
export type Job =
  | (Denoising & { readonly kind: 'train'; readonly batch: number; readonly optimizer: Optimizer })
  | {
      readonly kind: 'tokenizer';
      readonly imageSize: number;
      readonly tokenizer: TokenizerSettings;
      readonly temperature: number;
      readonly klWeight: number;
      readonly optimizer: Optimizer;
    }
  | (Denoising & {
      readonly kind: 'reverse';
      readonly batch: number;
      readonly from: number;
      readonly to: number;
      readonly guidanceScale: number;
      readonly truncation: number;
      readonly stride: number;
    })
  | (Denoising & {
      readonly kind: 'image';
      readonly imageSize: number;
      readonly tokenizer: TokenizerSettings;
      readonly times: readonly number[];
      readonly guidanceScale: number;
      readonly truncation: number;
      readonly stride: number;
    });

export interface Row {
  readonly name: string;
  readonly what: string;
  readonly job: Job;
  /** The least ratio of medians, PyTorch over ours, that we ask of ourselves. */
  readonly target?: number;
}

const TIMESTEPS = 100;
/** The published ones. */
const ENDS = [0.99999, 0.000009, 0.000009, 0.99999] as const;
/** Every so many values are compared where whole tensors would be much to tell. */
const STRIDE = 101;

const transformer = (layers: number, dim: number, heads: number, grid: number, codes: number): TransformerConfig => ({
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

function trainRow(name: string, sizes: TransformerConfig, batch: number): Row {
  const { layers, dim, grid, codes } = sizes;
  const optimizer = { lr: 1e-4, beta1: 0.9, beta2: 0.96, weightDecay: 0.045, clipNorm: 0.5, emaDecay: 0.99 };
  return {
    name,
    what: `diffusion training step, ${layers} x ${dim}, ${grid}x${grid} tokens, K ${codes}, conv MLP, batch ${batch}`,
    job: { kind: 'train', transformer: sizes, schedule: ENDS, auxiliaryWeight: 5e-4, batch, optimizer },
    target: 2.5,
  };
}

function tokenizerRow(name: string, preset: 'nano' | 'base'): Row {
  const { imageSize, tokenizer } = presets[preset];
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

function reverseRow(batch: number): Row {
  const sizes = transformer(4, 256, 8, 16, 1024);
  return {
    name: `reverse-${batch}`,
    what: `guided reverse step t = 50 -> 49, 4 x 256, 16x16 tokens, K 1024, conv MLP, batch ${batch}`,
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

export const rows: readonly Row[] = [
  trainRow('train-4x256', transformer(4, 256, 8, 16, 1024), 4),
  trainRow('train-6x256', transformer(6, 256, 8, 8, 512), 32),
  trainRow('train-12x384', transformer(12, 384, 12, 16, 1024), 4),
  tokenizerRow('tokenizer-64', 'nano'),
  tokenizerRow('tokenizer-128', 'base'),
  reverseRow(1),
  reverseRow(16),
  imageRow(),
];

export function jobSchedule({ transformer: { timesteps: steps, codes }, schedule }: Denoising): Schedule {
  const [alphaBarStart, alphaBarEnd, gammaBarStart, gammaBarEnd] = schedule;
  return maskReplaceSchedule({ steps, codes, alphaBarStart, alphaBarEnd, gammaBarStart, gammaBarEnd });
}

/** The settings of the diffusion stage that a training job stands for. */
export const jobSettings = ({
  batch,
  auxiliaryWeight,
  optimizer,
  transformer: { mlp },
}: Extract<Job, { kind: 'train' }>) =>
  ({ ...presets.nano.diffusion, ...optimizer, batch, auxiliaryWeight, mlp }) satisfies DiffusionSettings;

/** Weights of a job by prefix: what `jobWeights` draws anew each time it is asked. */
export function jobParameters(job: Job): Readonly<Record<string, Tree<Parameter>>> {
  const tokenizer = 'tokenizer' in job ? tokenizerParameters(job.tokenizer, job.imageSize) : undefined;
  if (job.kind === 'tokenizer') return { model: tokenizer! };
  return { model: diffusionParameters(job.transformer), ...(tokenizer && { tokenizer }) };
}

/** Random weights, one at a time, the same for both sides. */
export const drawWeights = (parameters: Tree<Parameter>): Generator<[string, NDArray<'float32'>]> =>
  initializeEach(parameters, 0);

/** What a step reads besides weights: the same arrays for both sides, a pure function of the job. */
export function jobFeeds(job: Job): Record<string, NDArray> {
  if (job.kind === 'tokenizer') return tokenizerFeeds(job);
  const { grid, conditionDim, codes } = job.transformer;
  const batch = job.kind === 'image' ? 1 : job.batch;
  const tokens = grid * grid;
  const samples = Array.from({ length: batch }, (_, i) => i);
  const normals = normalBatch(key('condition'), samples, conditionDim);
  const condition = float32(pseudoText(normals, normals, 0, conditionDim), [batch, conditionDim]);
  const x0 = int32(integers(key('codes'), 0, batch * tokens, codes), [batch, tokens]);
  if (job.kind === 'image') return { condition, codes: x0 };

  const t = samples.map((i) => (job.kind === 'reverse' ? job.from : Math.floor((i * TIMESTEPS) / batch)));
  const noisy = corrupt(jobSchedule(job), x0.data, t, uniforms(key('corrupt'), 0, batch * tokens));
  const xt = int32(noisy, [batch, tokens]);
  if (job.kind === 'reverse') return { condition, tokens: xt };
  return {
    x0,
    xt,
    t: int32(t, [batch]),
    pt: float32(new Float32Array(batch).fill(1 / TIMESTEPS), [batch]),
    condition,
    // The last picture's condition is dropped.
    dropped: float32(
      samples.map((i) => (i === batch - 1 ? 1 : 0)),
      [batch, 1],
    ),
  };
}

function tokenizerFeeds({ imageSize, tokenizer }: Extract<Job, { kind: 'tokenizer' }>): Record<string, NDArray> {
  const { batch, codes } = tokenizer;
  const samples = Array.from({ length: batch }, (_, i) => i);
  const tokens = gridSize({ imageSize, tokenizer }) ** 2;
  const pixels = 3 * imageSize ** 2;
  const x = Float32Array.from(uniforms(key('pictures'), 0, batch * pixels), (u) => 2 * u - 1);
  return {
    x: float32(x, [batch, 3, imageSize, imageSize]),
    gumbel: float32(gumbelBatch(key('gumbel'), samples, tokens * codes), [batch, tokens, codes]),
  };
}

const key = (stream: string) => ({ seed: 0, stream: `bench/${stream}`, step: 0 });
