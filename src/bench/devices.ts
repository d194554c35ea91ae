/** The CPU against another device on this machine: the three things that a user waits for, and where their operators ran. */

import type { NDArray } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import { towerDistance } from '../clip/tower-distance.ts';
import { clipParameters } from '../clip/towers.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import { type OperatorTime, operatorTimes } from '../engine/profile/operators.ts';
import { Profiler } from '../engine/profile/profiler.ts';
import { initialize } from '../nn/parameters.ts';
import { uniforms } from '../random/noise.ts';
import { presets, type Recipe } from '../recipe/schema.ts';
import { makeEncoder } from '../vqgan/codec.ts';
import { tokenizerParameters } from '../vqgan/model.ts';
import { tokenizerStage } from '../vqgan/stage.ts';
import { type BenchConfig, benchSampleStep, benchTrainStep } from './bench.ts';
import { TINY_TOKENIZER } from './peer/rows.ts';

export const jobs = ['training step', 'reverse step', 'encode'] as const;
export type Job = (typeof jobs)[number];

/** What is looked at operator by operator: the jobs, and the tokenizer's stage, whose operators are the same at any size. */
export const looks = [...jobs, 'tokenizer stage'] as const;
type Look = (typeof looks)[number];

export interface DeviceResult {
  readonly device: string;
  /** Median milliseconds. */
  readonly ms: Readonly<Record<Job, number>>;
  /** Operators that another provider than the device's ran, where they were looked for: those the device cannot do. */
  readonly fallbacks?: Readonly<Record<Look, readonly OperatorTime[]>>;
}

/**
 * Time the jobs on a device: the diffusion model's as `config` says, the tokenizer's of the preset nano. With `nodes`, the work is done
 * once more under the profiler, apart from the times, and the operators that fell back to the CPU are listed.
 */
export async function benchDevice(config: BenchConfig, engine: EngineOptions, nodes: boolean): Promise<DeviceResult> {
  const device = engine.device ?? 'cpu';
  const { 'training step': train, 'reverse step': reverse, encode } = work;
  const ms = {
    'training step': await train(config, engine),
    'reverse step': await reverse(config, engine),
    encode: await encode(config, engine),
  };
  if (!nodes || device === 'cpu') return { device, ms };
  const look = (job: Job) => fallbacksOf((profiled) => work[job]({ ...config, rounds: 1 }, profiled), engine);
  const fallbacks = {
    'training step': await look('training step'),
    'reverse step': await look('reverse step'),
    encode: await look('encode'),
    'tokenizer stage': await fallbacksOf(smallTokenizer, engine),
  };
  return { device, ms, fallbacks };
}

/** Two steps of a small tokenizer with all that its loss can hold: codes, a discriminator that counts, and the eyes of a CLIP. */
async function smallTokenizer(options: EngineOptions): Promise<void> {
  const engine = Engine.start(options);
  try {
    const { imageSize, tokenizer } = TINY_TOKENIZER;
    const adversary = { discriminatorWeight: 0.8, discriminatorStart: 0, discriminatorWarmup: 0 };
    const sizes = { discriminatorLayers: 2, discriminatorChannels: 8 };
    const all = { autoencoderFraction: 0, perceptualWeight: 1, perceptualAfter: 0 };
    const clip = { ...presets.nano.clip, imageSize, imageChannels: 8 };
    const eyes = towerDistance(initialize(clipParameters(clip, 1).image, 0), '');
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
      loadPerceptual: async () => eyes,
      onExport: () => {},
    });
    await stage.prepare();
    for (let step = 0; step < 2; step++) await stage.run(step);
  } finally {
    await engine.close();
  }
}

const work: Readonly<Record<Job, (config: BenchConfig, engine: EngineOptions) => Promise<number>>> = {
  'training step': async (config, engine) => (await benchTrainStep(config, engine)).medianMs,
  'reverse step': async (config, engine) => (await benchSampleStep(config, engine)).medianMs,
  encode: (config, engine) => encodeMs(presets.nano, config, engine),
};

/** The operators of some work that ran on the CPU although another device was asked for. */
async function fallbacksOf(
  run: (engine: EngineOptions) => Promise<unknown>,
  engine: EngineOptions,
): Promise<OperatorTime[]> {
  const profiler = new Profiler();
  try {
    await run({ ...engine, profiler });
    if (profiler.kernels.length === 0) throw new Error('The profile holds no operator: nothing can be said of them');
    return operatorTimes(profiler.kernels, { byShape: true }).filter(({ provider }) => provider === 'CPU');
  } finally {
    profiler.close();
  }
}

async function encodeMs(recipe: Recipe, { batch, rounds }: BenchConfig, options: EngineOptions): Promise<number> {
  const { imageSize, tokenizer } = recipe;
  const engine = Engine.start(options);
  try {
    const params = flatten<NDArray>(initialize(tokenizerParameters(tokenizer, imageSize), 0));
    const encoder = makeEncoder(engine, params, recipe, 'random weights', { sizes: [batch] });
    const images = new Uint8Array(batch * 3 * imageSize ** 2).fill(128);
    await encoder.encode(images);
    const times: number[] = [];
    for (let i = 0; i < rounds; i++) {
      const start = performance.now();
      await encoder.encode(images);
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[Math.floor(rounds / 2)]!;
  } finally {
    await engine.close();
  }
}
