/**
 * The CPU against another device on this machine: the three things that a user waits for, and where their operators
 * ran.
 */

import type { NDArray } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import { towerDistance } from '../clip/tower-distance.ts';
import { clipParameters } from '../clip/towers.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import { type OperatorTime, operatorTimes } from '../engine/profile/operators.ts';
import { Profiler } from '../engine/profile/profiler.ts';
import { initialize } from '../nn/parameters.ts';
import { uniforms } from '../random/noise.ts';
import { presets } from '../recipe/recipe.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { Stage } from '../stage/stage.ts';
import { makeEncoder } from '../vqgan/codec.ts';
import { tokenizerParameters } from '../vqgan/model.ts';
import { tokenizerStage } from '../vqgan/stage.ts';
import { median } from './median.ts';
import { reverseRow, TINY_TOKENIZER, trainRow, transformer } from './peer/rows.ts';
import { denoising, prepareWork } from './peer/work.ts';
import { type BenchConfig, benchSampleStep, benchTrainStep } from './step-bench.ts';

export const jobs = ['training step', 'reverse step', 'encode'] as const;
export type TimedJob = (typeof jobs)[number];

/** What is profiled operator by operator: the jobs, and the tokenizer's stage. */
export const profiledJobs = [...jobs, 'tokenizer stage'] as const;
type ProfiledJob = (typeof profiledJobs)[number];

/** By job, the operators that another provider than the device's ran: those the device cannot do. */
export type Fallbacks = Readonly<Record<ProfiledJob, readonly OperatorTime[]>>;

/**
 * Median milliseconds of the jobs on a device: the diffusion model's in the sizes of `config`, the tokenizer's of the
 * preset nano.
 */
export async function timeDevice(
  config: BenchConfig,
  engineOptions: EngineOptions,
): Promise<Readonly<Record<TimedJob, number>>> {
  const ms: Partial<Record<TimedJob, number>> = {};
  for (const job of jobs) ms[job] = await work[job](config, engineOptions);
  return ms as Record<TimedJob, number>;
}

/** Work by job, each made ready on an engine. */
export type ProfiledWork = Readonly<Record<ProfiledJob, (engine: Engine) => Promise<{ run(): Promise<unknown> }>>>;

/** The work done once under the profiler, each on an engine of its own, and which operators fell back to the CPU. */
export async function deviceFallbacks(works: ProfiledWork, engineOptions: EngineOptions): Promise<Fallbacks> {
  const found: Partial<Record<ProfiledJob, readonly OperatorTime[]>> = {};
  for (const job of profiledJobs) found[job] = await fallbacksOf(works[job], engineOptions);
  return found as Fallbacks;
}

async function fallbacksOf(
  work: ProfiledWork[ProfiledJob],
  engineOptions: EngineOptions,
): Promise<readonly OperatorTime[]> {
  const profiler = new Profiler();
  try {
    const engine = Engine.start({ ...engineOptions, profiler });
    try {
      await (await work(engine)).run();
    } finally {
      await engine.close();
    }
    if (profiler.kernels.length === 0) throw new Error('The profile holds no operator: nothing can be said of them');
    return operatorTimes(profiler.kernels, { byShape: true }).filter(({ provider }) => provider === 'CPU');
  } finally {
    profiler.close();
  }
}

/**
 * What is profiled, each made ready on an engine: the diffusion model in the sizes of `config`, with random weights;
 * the tokenizer a small one, whose operators are the same at any size.
 */
export function profiledWork(config: BenchConfig) {
  const { layers, dim, heads, grid, codes, batch, mlp, inPlace } = config;
  const sizes = { ...transformer(layers, dim, heads, grid, codes), mlp };
  return {
    'training step': (engine: Engine) => prepareWork(trainRow('', sizes, batch, inPlace).job, engine),
    'reverse step': async (engine: Engine) => {
      const { job } = reverseRow('', sizes, batch);
      const { start, denoise } = await denoising(job, engine);
      return { job, denoise, run: () => denoise(start, job.from) };
    },
    encode: async (engine: Engine) => {
      const { encoder, images } = randomEncoder(engine, { ...presets.nano, ...TINY_TOKENIZER }, batch);
      return { run: () => encoder.encode(images) };
    },
    'tokenizer stage': async (engine: Engine) => {
      const stage = smallTokenizer(engine);
      await stage.prepare();
      return { run: () => stage.run(0) };
    },
  } satisfies ProfiledWork;
}

/**
 * The stage of a small tokenizer, of which one step is made, with all that its loss can hold: codes, an active
 * discriminator, and the features of a CLIP.
 */
function smallTokenizer(engine: Engine): Stage {
  const { imageSize, tokenizer } = TINY_TOKENIZER;
  const adversary = { discriminatorWeight: 0.8, discriminatorStart: 0, discriminatorWarmup: 0 };
  const sizes = { discriminatorLayers: 1, discriminatorChannels: 8 };
  const all = { autoencoderFraction: 0, perceptualWeight: 1, perceptualAfter: 0 };
  const clip = { ...presets.nano.clip, imageSize, imageChannels: 8 };
  const distance = towerDistance(initialize(clipParameters(clip, 1).image, 0), '');
  return tokenizerStage({
    engine,
    recipe: { imageSize, tokenizer: { ...tokenizer, ...adversary, ...sizes, ...all } },
    seed: 0,
    pictures: {
      size: tokenizer.batch,
      read: async (picks) => {
        const values = uniforms({ seed: 0, stream: 'pictures', step: 0 }, 0, picks.length * 3 * imageSize ** 2);
        return Uint8Array.from(values, (u) => 256 * u);
      },
    },
    fingerprint: '',
    loadPerceptual: async () => distance,
    onExport: () => {},
  });
}

const work: Readonly<Record<TimedJob, (config: BenchConfig, engineOptions: EngineOptions) => Promise<number>>> = {
  'training step': async (config, engineOptions) => (await benchTrainStep(config, engineOptions)).medianMs,
  'reverse step': async (config, engineOptions) => (await benchSampleStep(config, engineOptions)).medianMs,
  encode: encodeMs,
};

/** An encoder of random weights, and pictures for it. */
function randomEncoder(engine: Engine, recipe: Recipe, batch: number) {
  const { imageSize, tokenizer } = recipe;
  const params = flatten<NDArray>(initialize(tokenizerParameters(tokenizer, imageSize), 0));
  const encoder = makeEncoder(engine, params, recipe, 'random weights', { sizes: [batch] });
  return { encoder, images: new Uint8Array(batch * 3 * imageSize ** 2).fill(128) };
}

async function encodeMs({ batch, rounds }: BenchConfig, engineOptions: EngineOptions): Promise<number> {
  const engine = Engine.start(engineOptions);
  try {
    const { encoder, images } = randomEncoder(engine, presets.nano, batch);
    await encoder.encode(images);
    const times: number[] = [];
    for (let i = 0; i < rounds; i++) {
      const start = performance.now();
      await encoder.encode(images);
      times.push(performance.now() - start);
    }
    return median(times);
  } finally {
    await engine.close();
  }
}
