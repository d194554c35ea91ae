/** Benchmarks of single steps, in the configuration the caller names. */

import { float32, int32, scalar } from '../base/ndarray.ts';
import { DenoiserPool } from '../diffusion/model.ts';
import { maskReplaceSchedule } from '../diffusion/process/schedule.ts';
import { compileTraining, loadTraining } from '../diffusion/programs.ts';
import { ancestral } from '../diffusion/samplers/ancestral.ts';
import { diffusionParameters, type TransformerConfig } from '../diffusion/transformer.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import { peakResidentBytes } from '../engine/memory/resident.ts';
import { countParameters, initializeEach } from '../nn/parameters.ts';
import { presets } from '../recipe/recipe.ts';
import type { DiffusionSettings } from '../recipe/schema.ts';
import { median } from './median.ts';

export interface BenchConfig {
  readonly layers: number;
  readonly dim: number;
  readonly heads: number;
  readonly grid: number;
  readonly codes: number;
  readonly batch: number;
  readonly mlp: DiffusionSettings['mlp'];
  /** Whether a training step writes new weights over the old ones, in half the memory. */
  readonly inPlace: boolean;
  /** Side of the squares of tokens that the network takes as one position; 1 by default. */
  readonly fold?: DiffusionSettings['fold'];
  /** Measured steps, after those that warm up. */
  readonly rounds: number;
}

export interface BenchResult {
  readonly medianMs: number;
  readonly minMs: number;
  readonly paramsM: number;
  /** Arithmetic of the definition (not of the faster algorithms that compute it) over the median time. */
  readonly gflops: number;
  /** Parameters and, in training, optimiser state, average and gradients. */
  readonly stateMB: number;
  /**
   * Intermediate values at their peak. Both are read off the graphs; the most that the process has held is measured.
   */
  readonly activationsMB: number;
  readonly peakRssMB: number;
}

const CONDITION_DIM = 512;
const TIMESTEPS = 100;
const WARM_UP = 2;

/** One training step of the diffusion stage: loss, backward pass, gradient clipping, AdamW, EMA. */
export async function benchTrainStep(config: BenchConfig, engineOptions: EngineOptions): Promise<BenchResult> {
  const { batch, grid, codes } = config;
  const [sizes, tokens] = [transformer(config), grid * grid];
  const schedule = maskReplaceSchedule({ steps: TIMESTEPS, codes });
  const settings = { ...presets.nano.diffusion, batch, mlp: config.mlp, updateInPlace: config.inPlace };
  const x0 = Int32Array.from({ length: batch * tokens }, (_, i) => (i * 7919) % codes);
  const feeds = {
    x0: int32(x0, [batch, tokens]),
    xt: int32(
      x0.map((code, i) => (i % 2 === 0 ? codes : code)),
      [batch, tokens],
    ),
    t: int32(new Int32Array(batch).fill(TIMESTEPS / 2), [batch]),
    pt: float32(new Float32Array(batch).fill(1 / TIMESTEPS), [batch]),
    condition: float32(new Float32Array(batch * CONDITION_DIM).fill(CONDITION_DIM ** -0.5), [batch, CONDITION_DIM]),
    dropped: float32(new Float32Array(batch), [batch, 1]),
    lr: scalar(1e-4),
    emaDecay: scalar(0.99),
  };
  const engine = Engine.start(engineOptions);
  try {
    const train = await compileTraining(engine, sizes, schedule, settings);
    await loadTraining(engine, initializeEach(diffusionParameters(sizes), 0));
    return await measure(config, engine, 3 * forwardFlop(config) * batch, () => train(feeds));
  } finally {
    await engine.close();
  }
}

/** One guided reverse step for `batch` images, from the middle of the chain: network, guidance, posterior, draw. */
export async function benchSampleStep(config: BenchConfig, engineOptions: EngineOptions): Promise<BenchResult> {
  const { batch, grid, codes } = config;
  const sizes = transformer(config);
  const schedule = maskReplaceSchedule({ steps: TIMESTEPS, codes });
  const engine = Engine.start(engineOptions);
  try {
    const pool = await DenoiserPool.create(engine, sizes, initializeEach(diffusionParameters(sizes), 0));
    const denoise = await pool.denoiser(new Float32Array(batch * CONDITION_DIM).fill(CONDITION_DIM ** -0.5), 2);
    const samples = Array.from({ length: batch }, (_, i) => i);
    // A chain of one step draws every token at once: the most a step can have to do.
    const step = () =>
      ancestral(denoise, {
        schedule,
        batch,
        tokens: grid * grid,
        steps: 1,
        truncation: 0.85,
        noise: { seed: 0, samples },
      });
    return await measure(config, engine, 2 * forwardFlop(config) * batch, step);
  } finally {
    await engine.close();
  }
}

async function measure(
  config: BenchConfig,
  engine: Engine,
  flop: number,
  step: () => Promise<unknown>,
): Promise<BenchResult> {
  const { rounds } = config;
  const times: number[] = [];
  for (let i = 0; i < WARM_UP + rounds; i++) {
    const start = performance.now();
    await step();
    if (i >= WARM_UP) times.push(performance.now() - start);
  }
  const medianMs = median(times);
  return {
    medianMs,
    minMs: Math.min(...times),
    paramsM: countParameters(diffusionParameters(transformer(config))) / 1e6,
    gflops: flop / medianMs / 1e6,
    stateMB: engine.footprint().state / 1e6,
    activationsMB: engine.footprint().activations / 1e6,
    peakRssMB: peakResidentBytes() / 1e6,
  };
}

const transformer = ({ layers, dim, heads, grid, codes, mlp, fold }: BenchConfig): TransformerConfig => ({
  layers,
  dim,
  heads,
  mlp,
  mlpRatio: 4,
  timesteps: TIMESTEPS,
  codes,
  grid,
  fold,
  conditionDim: CONDITION_DIM,
});

/** Multiply-adds count two: projections, attention, MLP and head of one forward pass of one image. */
function forwardFlop({ layers, dim, grid, codes, mlp, fold = 1 }: BenchConfig): number {
  const tokens = (grid / fold) ** 2;
  const projections = 4 * 2 * dim * dim;
  const mixing = 2 * 2 * tokens * dim;
  const feedForward = 2 * 2 * dim * 4 * dim * (mlp === 'conv' ? 9 : 1);
  return tokens * (layers * (projections + mixing + feedForward) + 2 * dim * codes * fold ** 2);
}
