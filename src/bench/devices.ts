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
import { makeEncoder } from '../vqgan/codec.ts';
import { tokenizerParameters } from '../vqgan/model.ts';
import { tokenizerStage } from '../vqgan/stage.ts';
import { median } from './median.ts';
import { TINY_TOKENIZER } from './peer/rows.ts';
import { type BenchConfig, benchSampleStep, benchTrainStep } from './step-bench.ts';

export const jobs = ['training step', 'reverse step', 'encode'] as const;
export type Job = (typeof jobs)[number];

/** What is profiled operator by operator: the jobs, and the tokenizer's stage. */
export const profiledJobs = [...jobs, 'tokenizer stage'] as const;

/** By job, the operators that another provider than the device's ran: those the device cannot do. */
export type Fallbacks = Readonly<Record<(typeof profiledJobs)[number], readonly OperatorTime[]>>;

/**
 * Median milliseconds of the jobs on a device: the diffusion model's in the sizes of `config`, the tokenizer's of the
 * preset nano.
 */
export async function timeDevice(
  config: BenchConfig,
  engineOptions: EngineOptions,
): Promise<Readonly<Record<Job, number>>> {
  const ms: Partial<Record<Job, number>> = {};
  for (const job of jobs) ms[job] = await work[job](config, engineOptions);
  return ms as Record<Job, number>;
}

/**
 * The work done once under the profiler, and which of its operators fell back to the CPU. The tokenizer is a small one:
 * its operators are the same at any size.
 */
export async function deviceFallbacks(config: BenchConfig, engineOptions: EngineOptions): Promise<Fallbacks> {
  const once = { ...config, rounds: 1, warmUp: 0 };
  const of = (job: Job) => fallbacksOf((profiled) => work[job](once, profiled), engineOptions);
  return {
    'training step': await of('training step'),
    'reverse step': await of('reverse step'),
    encode: await fallbacksOf((profiled) => encodeMs(SMALL, once, profiled), engineOptions),
    'tokenizer stage': await fallbacksOf(smallTokenizer, engineOptions),
  };
}

/**
 * A step of a small tokenizer with all that its loss can hold: codes, an active discriminator, and the features of a
 * CLIP.
 */
async function smallTokenizer(engineOptions: EngineOptions): Promise<void> {
  const engine = Engine.start(engineOptions);
  try {
    const { imageSize, tokenizer } = TINY_TOKENIZER;
    const adversary = { discriminatorWeight: 0.8, discriminatorStart: 0, discriminatorWarmup: 0 };
    const sizes = { discriminatorLayers: 1, discriminatorChannels: 8 };
    const all = { autoencoderFraction: 0, perceptualWeight: 1, perceptualAfter: 0 };
    const clip = { ...presets.nano.clip, imageSize, imageChannels: 8 };
    const distance = towerDistance(initialize(clipParameters(clip, 1).image, 0), '');
    const stage = tokenizerStage({
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
    await stage.prepare();
    await stage.run(0);
  } finally {
    await engine.close();
  }
}

const SMALL: Recipe = { ...presets.nano, ...TINY_TOKENIZER };

const work: Readonly<Record<Job, (config: BenchConfig, engineOptions: EngineOptions) => Promise<number>>> = {
  'training step': async (config, engineOptions) => (await benchTrainStep(config, engineOptions)).medianMs,
  'reverse step': async (config, engineOptions) => (await benchSampleStep(config, engineOptions)).medianMs,
  encode: (config, engineOptions) => encodeMs(presets.nano, config, engineOptions),
};

/** The operators of some work that ran on the CPU although another device was named. */
async function fallbacksOf(
  run: (engineOptions: EngineOptions) => Promise<unknown>,
  engineOptions: EngineOptions,
): Promise<OperatorTime[]> {
  const profiler = new Profiler();
  try {
    await run({ ...engineOptions, profiler });
    if (profiler.kernels.length === 0) throw new Error('The profile holds no operator: nothing can be said of them');
    return operatorTimes(profiler.kernels, { byShape: true }).filter(({ provider }) => provider === 'CPU');
  } finally {
    profiler.close();
  }
}

async function encodeMs(
  recipe: Recipe,
  { batch, rounds, warmUp = 1 }: BenchConfig,
  engineOptions: EngineOptions,
): Promise<number> {
  const { imageSize, tokenizer } = recipe;
  const engine = Engine.start(engineOptions);
  try {
    const params = flatten<NDArray>(initialize(tokenizerParameters(tokenizer, imageSize), 0));
    const encoder = makeEncoder(engine, params, recipe, 'random weights', { sizes: [batch] });
    const images = new Uint8Array(batch * 3 * imageSize ** 2).fill(128);
    for (let i = 0; i < warmUp; i++) await encoder.encode(images);
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
