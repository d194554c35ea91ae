/** What each sampler gives for its steps: attributes that a judge sees, distance to real pictures, and seconds. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { makeFolder } from '../checkpoint/atomic.ts';
import { packImages } from '../data/image.ts';
import type { Generator, SamplingChoice } from '../model.ts';
import { integers } from '../random/noise.ts';
import { type FaceJudge, judgeRequests, type Request } from './face-judge.ts';
import { frechetDistance } from './feature-distance.ts';

/** One setting to measure. */
export interface Trial {
  /** What the table calls it. */
  readonly name: string;
  readonly sampling: Partial<SamplingChoice> & { readonly steps: number };
}

const pointSchema = z.object({
  key: z.string(),
  name: z.string(),
  /** Calls of the network; a guided one computes both halves. */
  steps: z.number(),
  /** Mean share of asked attributes that the judge sees, and its standard error. */
  judged: z.number(),
  judgedError: z.number(),
  /** Fréchet distance to real pictures in the CLIP's features, and its standard error. */
  frechet: z.number(),
  frechetError: z.number(),
  clipScore: z.number(),
  secondsPerPicture: z.number(),
});
export type Point = z.infer<typeof pointSchema>;

export interface SamplerBenchOptions {
  readonly generator: Generator;
  readonly requests: readonly Request[];
  /** Without a judge its share is NaN. */
  readonly judge: FaceJudge | undefined;
  /** CLIP features of real pictures, [pictures, dim]. */
  readonly real: Float32Array;
  readonly seed: number;
  /** Where finished points are kept; they are not measured again. */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
  readonly onTrial?: (trial: Trial, done: number, total: number) => void;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Measure each trial that is not on file. One picture a request, each from noise of its own, the same for all samplers. */
export async function benchSamplers(trials: readonly Trial[], options: SamplerBenchOptions): Promise<Point[]> {
  const { generator, requests, seed, folder, onTrial } = options;
  makeFolder(folder);
  const file = path.join(folder, 'points.jsonl');
  const known = new Map(readPoints(file).map((point) => [point.key, point]));
  // Other prompts are another measurement.
  const asked = createHash('sha256').update(JSON.stringify(requests)).digest('hex').slice(0, 16);
  const points: Point[] = [];
  for (const [i, trial] of trials.entries()) {
    const { guidanceScale, truncation } = generator.recipe.sampling;
    const key = JSON.stringify([
      generator.hash,
      asked,
      requests.length,
      seed,
      { guidanceScale, truncation, ...trial.sampling },
    ]);
    onTrial?.(trial, i, trials.length);
    const point = known.get(key) ?? { key, ...(await measure(trial, options)) };
    if (!known.has(key)) fs.appendFileSync(file, `${JSON.stringify(point)}\n`);
    points.push({ ...point, name: trial.name });
  }
  return points;
}

function readPoints(file: string): Point[] {
  if (!fs.existsSync(file)) return [];
  // A line that a kill cut off is measured again.
  return fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return pointSchema.safeParse(JSON.parse(line)).data ?? [];
      } catch {
        return [];
      }
    });
}

async function measure({ name, sampling }: Trial, options: SamplerBenchOptions): Promise<Omit<Point, 'key'>> {
  const { generator, requests, judge, real, seed, signal, onProgress } = options;
  const { dim } = generator.clip;
  const start = performance.now();
  const prompts = requests.map(({ prompt }) => prompt);
  const pictures = await generator.generate(prompts, {
    ...sampling,
    // Noise of its own for each, or all would share the same luck.
    seed: prompts.map((_, i) => seed + i),
    signal,
    onProgress,
  });
  const secondsPerPicture = (performance.now() - start) / 1000 / requests.length;
  const images = pictures.map(({ image }) => image);
  const shares = judge ? await judgeRequests(judge, requests, packImages(images)) : new Float64Array([Number.NaN]);
  const features = await generator.clip.embedImages(images);
  return {
    name,
    steps: sampling.steps,
    judged: mean(shares),
    judgedError: Math.sqrt(mean(shares.map((share) => (share - mean(shares)) ** 2)) / shares.length),
    frechet: frechetDistance(features, real, dim),
    frechetError: bootstrapError(features, real, dim),
    clipScore: mean(pictures.map(({ clipScore }) => clipScore)),
    secondsPerPicture,
  };
}

const RESAMPLES = 12;

/** Standard deviation of the distance over resamples of the pictures. */
function bootstrapError(features: Float32Array, real: Float32Array, dim: number): number {
  const n = features.length / dim;
  const distances = Array.from({ length: RESAMPLES }, (_, r) => {
    const rows = integers({ seed: 0, stream: 'sampler-bench/bootstrap', step: r }, 0, n, n);
    const drawn = new Float32Array(features.length);
    rows.forEach((row, i) => {
      drawn.set(features.subarray(row * dim, (row + 1) * dim), i * dim);
    });
    return frechetDistance(drawn, real, dim);
  });
  return Math.sqrt(mean(distances.map((d) => (d - mean(distances)) ** 2)));
}

const mean = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
};
