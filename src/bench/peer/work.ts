/** The jobs of the comparison as our side does them. */

import { float32, type NDArray, scalar, type Tree } from '../../base/ndarray.ts';
import { unflatten } from '../../base/tree.ts';
import { DenoiserPool } from '../../diffusion/model.ts';
import { compileTraining, loadTraining } from '../../diffusion/programs.ts';
import { ancestral, exactDraw } from '../../diffusion/samplers/ancestral.ts';
import { reverseChain } from '../../diffusion/samplers/chain.ts';
import type { SamplerOptions } from '../../diffusion/samplers/sampler.ts';
import type { Engine } from '../../engine/engine.ts';
import { toEngineLayout } from '../../nn/kernel-layout.ts';
import type { Parameter } from '../../nn/parameters.ts';
import { adamState } from '../../optim/adamw.ts';
import { makeDecoder } from '../../vqgan/codec.ts';
import { trainingProgram } from '../../vqgan/programs.ts';
import { drawWeights, type Job, type JobOf, jobFeeds, jobParameters, jobSchedule, jobSettings } from './jobs.ts';

/** A job made ready. */
export interface Work {
  /** Once; what comes of it, the loss where there is one. */
  run(): Promise<readonly number[]>;
  /** What is compared, where that is not what three steps give. */
  check?(): Promise<readonly number[]>;
}

async function training(job: JobOf<'train'>, engine: Engine): Promise<Work> {
  const { lr, emaDecay } = job.optimizer;
  const step = await compileTraining(engine, job.transformer, jobSchedule(job), jobSettings(job));
  await loadTraining(engine, drawWeights(jobParameters(job).model!));
  const feeds = { ...jobFeeds(job), lr: scalar(lr), emaDecay: scalar(emaDecay!) };
  return { run: async () => [(await step(feeds)).loss!.data[0]!] };
}

async function tokenizer(job: JobOf<'tokenizer'>, engine: Engine): Promise<Work> {
  const variant = { phase: 'soft', discriminator: 'off', perceptual: false } as const;
  const settings = { ...job.tokenizer, ...job.optimizer };
  const step = await engine.compile(trainingProgram({ imageSize: job.imageSize, tokenizer: settings }, variant));
  const params = toEngineLayout(weights(jobParameters(job).model!));
  const usage = float32(new Float32Array(settings.codes), [settings.codes]);
  await engine.load({ params, adam: adamState(params), usage });
  const { temperature, klWeight, optimizer } = job;
  const scalars = { temperature: scalar(temperature), klWeight: scalar(klWeight), lr: scalar(optimizer.lr) };
  const feeds = { ...jobFeeds(job), ...scalars };
  return { run: async () => [(await step.run(feeds)).loss!.data[0]!] };
}

/** The denoiser of a reverse step, and the tokens that it is given. */
export async function denoising(job: JobOf<'reverse'>, engine: Engine) {
  const pool = await DenoiserPool.create(engine, job.transformer, drawWeights(jobParameters(job).model!));
  const { condition, tokens } = jobFeeds(job) as { condition: NDArray<'float32'>; tokens: NDArray<'int32'> };
  const start = Int32Array.from(tokens.data);
  return { start, denoise: await pool.denoiser(Float32Array.from(condition.data), job.guidanceScale) };
}

async function reverse(job: JobOf<'reverse'>, engine: Engine): Promise<Work> {
  const { start, denoise } = await denoising(job, engine);
  const options = samplerOptions(job, job.batch, 1);
  const plan = [{ time: job.from, from: job.from, to: job.to }];
  return {
    run: async () => [(await reverseChain(denoise, options, exactDraw(options.noise), { start, plan }))[0]!],
    check: async () => every(job.stride, await denoise(start, job.from)),
  };
}

async function image(job: JobOf<'image'>, engine: Engine): Promise<Work> {
  const parameters = jobParameters(job);
  const pool = await DenoiserPool.create(engine, job.transformer, drawWeights(parameters.model!));
  const arrays = Object.fromEntries(drawWeights(parameters.tokenizer!));
  const decoder = makeDecoder(engine, arrays, job, 'the benchmark');
  const feeds = jobFeeds(job);
  const condition = Float32Array.from(feeds.condition!.data);
  const options = samplerOptions(job, 1, job.times.length - 1);
  return {
    run: async () => {
      const denoise = await pool.denoiser(condition, job.guidanceScale);
      const picture = await decoder.decode(await ancestral(denoise, options));
      return [picture[0]!];
    },
    check: async () => every(job.stride, await decoder.decode(Int32Array.from(feeds.codes!.data))),
  };
}

const weights = (parameters: Tree<Parameter>): Tree<NDArray> => unflatten(Object.fromEntries(drawWeights(parameters)));

const samplerOptions = (job: JobOf<'reverse' | 'image'>, batch: number, steps: number): SamplerOptions => ({
  schedule: jobSchedule(job),
  batch,
  tokens: job.transformer.grid ** 2,
  steps,
  truncation: job.truncation < 1 ? job.truncation : undefined,
  noise: { seed: 0, samples: Array.from({ length: batch }, (_, i) => i) },
});

const every = (stride: number, values: Float32Array): number[] => [...values].filter((_, i) => i % stride === 0);

/** Compiles a job and loads its weights. */
export function prepareWork(job: Job, engine: Engine): Promise<Work> {
  switch (job.kind) {
    case 'train':
      return training(job, engine);
    case 'tokenizer':
      return tokenizer(job, engine);
    case 'reverse':
      return reverse(job, engine);
    case 'image':
      return image(job, engine);
  }
}
