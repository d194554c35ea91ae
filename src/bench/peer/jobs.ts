/**
 * What is measured against PyTorch: one job a row of the table, with the weights and feeds that both sides start from.
 */

import { float32, int32, type NDArray, sizeOf, type Tree } from '../../base/ndarray.ts';
import { flatten, mapTree } from '../../base/tree.ts';
import { pseudoText } from '../../diffusion/condition.ts';
import { corrupt } from '../../diffusion/corrupt.ts';
import { maskReplaceSchedule, type Schedule } from '../../diffusion/process/schedule.ts';
import { diffusionParameters, type TransformerConfig } from '../../diffusion/transformer.ts';
import { initializeEach, type Parameter } from '../../nn/parameters.ts';
import { gumbelBatch, integers, normalBatch, uniforms } from '../../random/noise.ts';
import { presets } from '../../recipe/recipe.ts';
import { type DiffusionSettings, gridSize, type TokenizerSettings } from '../../recipe/schema.ts';
import { tokenizerParameters } from '../../vqgan/model.ts';

export interface Optimizer {
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly weightDecay: number;
  readonly clipNorm?: number;
  readonly emaDecay?: number;
}

/** The denoiser of a job. `schedule` is alphaBarStart, alphaBarEnd, gammaBarStart, gammaBarEnd. */
export interface Denoising {
  readonly transformer: TransformerConfig;
  readonly schedule: readonly [number, number, number, number];
  readonly auxiliaryWeight: number;
}

/** Everything about a row that both sides have to know, as JSON. */
export type Job =
  | (Denoising & {
      readonly kind: 'train';
      readonly batch: number;
      readonly optimizer: Optimizer;
      /** As the large presets are trained: `updateInPlace`. */
      readonly inPlace?: boolean;
    })
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

/** A job of one kind. */
export type JobOf<K extends Job['kind']> = Extract<Job, { kind: K }>;

/** Of every job here; the published number. */
export const TIMESTEPS = 100;

export function jobSchedule({ transformer: { timesteps: steps, codes }, schedule }: Denoising): Schedule {
  const [alphaBarStart, alphaBarEnd, gammaBarStart, gammaBarEnd] = schedule;
  return maskReplaceSchedule({ steps, codes, alphaBarStart, alphaBarEnd, gammaBarStart, gammaBarEnd });
}

/** The settings of the diffusion stage that a training job stands for. */
export const jobSettings = ({
  batch,
  auxiliaryWeight,
  optimizer,
  inPlace = false,
  transformer: { mlp },
}: Extract<Job, { kind: 'train' }>) =>
  ({
    ...presets.nano.diffusion,
    ...optimizer,
    batch,
    auxiliaryWeight,
    mlp,
    updateInPlace: inPlace,
  }) satisfies DiffusionSettings;

/** Weights of a job by prefix: what `jobWeights` draws anew at each call. */
export function jobParameters(job: Job): Readonly<Record<string, Tree<Parameter>>> {
  const tokenizer = 'tokenizer' in job ? tokenizerParameters(job.tokenizer, job.imageSize) : undefined;
  if (job.kind === 'tokenizer') return { model: tokenizer! };
  return { model: diffusionParameters(job.transformer), ...(tokenizer && { tokenizer }) };
}

/** A prime: where numbers repeat, rows and columns still differ. */
const MOST_DRAWN = 1_048_573;

/**
 * Random weights, one at a time, the same for both sides. Of large arrays only the first million are drawn and then
 * repeated: the largest model would keep a core busy for 20 seconds.
 */
export function* drawWeights(parameters: Tree<Parameter>): Generator<[string, NDArray<'float32'>]> {
  const drawn = mapTree(parameters, (p: Parameter) =>
    sizeOf(p.shape) > MOST_DRAWN ? { ...p, shape: [MOST_DRAWN] } : p,
  );
  const shapes = flatten<Parameter>(parameters);
  for (const [path, { data }] of initializeEach(drawn, 0)) {
    const { shape } = shapes[path]!;
    const all = new Float32Array(sizeOf(shape));
    for (let at = 0; at < all.length; at += data.length) all.set(data.subarray(0, all.length - at), at);
    yield [path, float32(all, shape)];
  }
}

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
