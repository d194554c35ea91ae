/** How training scales over ranks, measured on this machine; what follows from it is in `scaling-model.ts`. */

import { latentsOf } from '../diffusion/latents.ts';
import { diffusionStage } from '../diffusion/stage.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import type { Ranks } from '../mpi/ranks.ts';
import { integers, normalBatch } from '../random/noise.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { median } from './median.ts';
import { medianStep, type Reading, type StepTime, type SumTime } from './scaling-model.ts';

export interface RankMeasurement {
  readonly ranks: number;
  readonly threads: number;
  readonly step: StepTime;
  readonly sums: readonly SumTime[];
}

const ROUNDS = 5;
const STEPS = 8;
/** Numbers of a bucket. */
const BUCKETS = [2 ** 14, 2 ** 17, 2 ** 20, 2 ** 22];

/** Measure the diffusion step of the preset nano and sums of buckets; every rank calls it. */
export async function measureRanks(ranks: Ranks, options: EngineOptions): Promise<RankMeasurement> {
  const step = await measureStep(ranks, options);
  const sums: SumTime[] = [];
  for (const length of ranks.size > 1 ? BUCKETS : []) {
    const data = new Float32Array(length).fill(1e-3);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await ranks.barrier();
      const start = performance.now();
      await ranks.sum(data);
      times.push(performance.now() - start);
    }
    sums.push({ megabytes: (4 * length) / 1e6, ms: median(times) });
  }
  return { ranks: ranks.size, threads: options.threads ?? 0, step, sums };
}

async function measureStep(ranks: Ranks, options: EngineOptions): Promise<StepTime> {
  const recipe = makeRecipe('nano');
  const [size, tokens, dim] = [64, 64, 128];
  const codes = integers({ seed: 0, stream: 'codes', step: 0 }, 0, size * tokens, recipe.tokenizer.codes);
  const rows = Array.from({ length: size }, (_, i) => i);
  const latents = latentsOf(
    Int32Array.from(codes),
    tokens,
    normalBatch({ seed: 0, stream: 'embeddings', step: 0 }, rows, dim),
    dim,
  );
  const engine = Engine.start(options);
  try {
    const stage = diffusionStage({
      ...{ engine, ranks, microBatches: ranks.size, recipe, seed: 0, latents },
      ...{ name: 'diffusion', fingerprint: '', onExport() {} },
    });
    await stage.prepare();
    await stage.run(0);
    const readings: Reading[] = [{ at: performance.now(), ...ranks.times }];
    for (let step = 1; step <= STEPS; step++) {
      await stage.run(step);
      readings.push({ at: performance.now(), ...ranks.times });
    }
    return medianStep(readings);
  } finally {
    await engine.close();
  }
}
