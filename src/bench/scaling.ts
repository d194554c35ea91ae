/** How training scales over ranks: what is measured here, and what follows for other machines. */

import { latentsOf } from '../diffusion/latents.ts';
import { diffusionStage } from '../diffusion/stage.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import type { Ranks } from '../mpi/ranks.ts';
import { integers, normalBatch } from '../random/noise.ts';
import { makeRecipe } from '../recipe/recipe.ts';

/** A sum of a bucket over all ranks. */
export interface SumTime {
  readonly megabytes: number;
  readonly ms: number;
}

/** Milliseconds of a step, whole and in parts; the rest is computing. */
export interface StepTime {
  readonly ms: number;
  readonly communicating: number;
  readonly waiting: number;
}

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

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

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
    const times: StepTime[] = [];
    for (let step = 1; step <= STEPS; step++) {
      const [start, { communicating, waiting }] = [performance.now(), { ...ranks.times }];
      await stage.run(step);
      times.push({
        ms: performance.now() - start,
        communicating: ranks.times.communicating - communicating,
        waiting: ranks.times.waiting - waiting,
      });
    }
    const of = (part: keyof StepTime) => median(times.map((time) => time[part]));
    return { ms: of('ms'), communicating: of('communicating'), waiting: of('waiting') };
  } finally {
    await engine.close();
  }
}

/** A stage on one machine, and what of it travels. */
export interface ScaledStage {
  /** Of the whole batch on one machine. */
  readonly secondsPerStep: number;
  readonly batch: number;
  /** Bytes that every step adds up. */
  readonly bytes: number;
}

export interface Projection {
  readonly nodes: number;
  readonly gigabits: number;
  readonly secondsPerStep: number;
  /** How many times as fast as one machine. */
  readonly speedup: number;
}

/** Seconds that a message takes besides its bytes. */
const LATENCY = 50e-6;

/**
 * The time of a step on equal machines, one rank each, with a global batch that stays what it is: computing divides
 * among the ranks; a ring passes 2 (n − 1)/n of the gradients through every link, one bucket after another, and none of
 * it hides behind computing. Nodes that do not divide the batch are left out.
 */
export function project(
  { secondsPerStep, batch, bytes }: ScaledStage,
  nodes: readonly number[],
  gigabits: readonly number[],
): Projection[] {
  return nodes
    .filter((n) => batch % n === 0)
    .flatMap((n) =>
      gigabits.map((speed) => {
        const sending = (2 * (n - 1) * bytes) / n / ((speed * 1e9) / 8);
        const seconds = secondsPerStep / n + (n === 1 ? 0 : sending + 2 * (n - 1) * LATENCY);
        return { nodes: n, gigabits: speed, secondsPerStep: seconds, speedup: secondsPerStep / seconds };
      }),
    );
}
