/**
 * What each sampler gives for its network passes: attributes that a judge sees, distance to real pictures, and seconds. All samplers
 * draw for the same prompts from the same seeds, so that they are compared picture by picture with the reference.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { makeFolder } from '../checkpoint/atomic.ts';
import { readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import { packImages } from '../data/image.ts';
import type { Generator, Passes, SamplingChoice } from '../model.ts';
import { float32 } from '../ndarray.ts';
import { integers } from '../random/noise.ts';
import { type FaceJudge, judgeRequests, type Request } from './face-judge.ts';
import { frechetDistance } from './feature-distance.ts';

/** One setting to measure. */
export interface Trial {
  /** What the table calls it. */
  readonly name: string;
  readonly sampling: Partial<SamplingChoice> & { readonly steps: number };
}

/** A number and its standard error. */
export interface Estimate {
  readonly value: number;
  readonly error: number;
}

export interface Point extends Trial {
  /** Counted, not claimed: for one picture. */
  readonly passes: Passes;
  /** Mean share of asked attributes that the judge sees; NaN without a judge. */
  readonly judged: Estimate;
  /** That, less what the judge sees in the reference's picture for the same prompt. */
  readonly judgedDifference: Estimate;
  /** Fréchet distance to real pictures in the CLIP's features, and as a multiple of the reference's; errors by bootstrap. */
  readonly frechet: Estimate;
  readonly frechetRatio: Estimate;
  readonly clipScore: number;
  readonly secondsPerPicture: number;
}

export interface SamplerBenchOptions {
  readonly generator: Generator;
  readonly requests: readonly Request[];
  readonly judge: FaceJudge | undefined;
  /** CLIP features of real pictures, [pictures, dim]. */
  readonly real: Float32Array;
  /** Seed of the first picture; the next ones count up. */
  readonly seed: number;
  /** Where finished pictures are kept as numbers; they are not made again. */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
  readonly onTrial?: (trial: Trial, done: number, total: number) => void;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What is kept of some pictures of a trial. A line of each array is a picture. */
interface Measured {
  readonly judged: Float32Array;
  readonly clipScores: Float32Array;
  readonly features: Float32Array;
  readonly passes: Passes;
  readonly seconds: number;
}

/** Pictures that are kept at once: a kill loses no more. */
const CHUNK = 128;
const RESAMPLES = 16;

/** Measure each trial; the first is the reference. */
export async function benchSamplers(trials: readonly Trial[], options: SamplerBenchOptions): Promise<Point[]> {
  makeFolder(options.folder);
  const points: Point[] = [];
  let reference: Reference | undefined;
  for (const [i, trial] of trials.entries()) {
    options.onTrial?.(trial, i, trials.length);
    const measured = await measureAll(trial, options);
    const distances = resampledDistances(measured.features, options);
    reference ??= { judged: measured.judged, distances };
    points.push({ ...trial, ...summary(measured, distances, reference) });
  }
  return points;
}

async function measureAll(trial: Trial, options: SamplerBenchOptions): Promise<Measured> {
  const parts: Measured[] = [];
  const total = options.requests.length;
  for (let start = 0; start < total; start += CHUNK) {
    parts.push(await measureChunk(trial, start, options));
    options.onProgress?.(Math.min(total, start + CHUNK), total);
  }
  const joined = (of: (part: Measured) => Float32Array) => Float32Array.from(parts.flatMap((part) => [...of(part)]));
  return {
    judged: joined(({ judged }) => judged),
    clipScores: joined(({ clipScores }) => clipScores),
    features: joined(({ features }) => features),
    passes: parts[0]!.passes,
    seconds: parts.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

/** From the folder, or made now. */
async function measureChunk(trial: Trial, start: number, options: SamplerBenchOptions): Promise<Measured> {
  const { generator, requests, seed, folder } = options;
  const wanted = requests.slice(start, start + CHUNK);
  const { promptPrefix, nullEmbedding, ...recipe } = generator.recipe.sampling;
  const identity = JSON.stringify([generator.hash, wanted, seed + start, { ...recipe, ...trial.sampling }]);
  const name = createHash('sha256').update(identity).digest('hex').slice(0, 24);
  const file = path.join(folder, `${name}.safetensors`);
  if (fs.existsSync(file)) return read(file);
  const measured = await measure(trial, wanted, seed + start, options);
  const { judged, clipScores, features, passes, seconds } = measured;
  const numbers = Float32Array.of(passes.conditional, passes.unconditional, seconds);
  const columns = Object.entries({ judged, clipScores, features, numbers });
  writeSafetensors(file, Object.fromEntries(columns.map(([key, data]) => [key, float32(data, [data.length])])));
  return measured;
}

function read(file: string): Measured {
  const { tensors } = readSafetensors(file);
  const column = (key: string) => tensors[key]!.data as Float32Array;
  const [conditional, unconditional, seconds] = column('numbers') as unknown as [number, number, number];
  const passes = { conditional, unconditional };
  return {
    judged: column('judged'),
    clipScores: column('clipScores'),
    features: column('features'),
    passes,
    seconds,
  };
}

async function measure(
  { sampling }: Trial,
  requests: readonly Request[],
  seed: number,
  { generator, judge, signal }: SamplerBenchOptions,
): Promise<Measured> {
  const start = performance.now();
  const prompts = requests.map(({ prompt }) => prompt);
  // Noise of its own for each, or all would share the same luck.
  const pictures = await generator.generate(prompts, { ...sampling, seed: prompts.map((_, i) => seed + i), signal });
  const seconds = (performance.now() - start) / 1000;
  const images = pictures.map(({ image }) => image);
  return {
    judged: judge
      ? Float32Array.from(await judgeRequests(judge, requests, packImages(images)))
      : new Float32Array(requests.length).fill(Number.NaN),
    clipScores: Float32Array.from(pictures, ({ clipScore }) => clipScore),
    features: await generator.clip.embedImages(images),
    passes: pictures[0]!.passes,
    seconds,
  };
}

/** Fréchet distance of pictures to real ones: of all, and of resamples, which are of the same rows in every trial. */
interface Distances {
  readonly all: number;
  readonly resampled: readonly number[];
}

interface Reference {
  readonly judged: Float32Array;
  readonly distances: Distances;
}

function resampledDistances(features: Float32Array, { generator, real }: SamplerBenchOptions): Distances {
  const { dim } = generator.clip;
  const n = features.length / dim;
  const distance = (of: Float32Array) => frechetDistance(of, real, dim);
  const resampled = Array.from({ length: RESAMPLES }, (_, r) =>
    distance(rowsOf(features, integers({ seed: 0, stream: 'sampler-bench/bootstrap', step: r }, 0, n, n), dim)),
  );
  return { all: distance(features), resampled };
}

/** Compared picture by picture, in resamples too: luck that both have had by sharing prompts does not count as error. */
function summary(measured: Measured, distances: Distances, reference: Reference): Omit<Point, keyof Trial> {
  const { judged, clipScores, passes, seconds } = measured;
  const { all, resampled } = distances;
  const ratios = resampled.map((distance, r) => distance / reference.distances.resampled[r]!);
  return {
    passes,
    judged: meanOf(judged),
    judgedDifference: meanOf(judged.map((share, i) => share - reference.judged[i]!)),
    frechet: { value: all, error: deviation(resampled) },
    frechetRatio: { value: all / reference.distances.all, error: deviation(ratios) },
    clipScore: mean(clipScores),
    secondsPerPicture: seconds / judged.length,
  };
}

function rowsOf(features: Float32Array, rows: Int32Array, dim: number): Float32Array {
  const drawn = new Float32Array(rows.length * dim);
  rows.forEach((row, i) => {
    drawn.set(features.subarray(row * dim, (row + 1) * dim), i * dim);
  });
  return drawn;
}

const meanOf = (values: Float32Array): Estimate => ({
  value: mean(values),
  error: deviation(values) / Math.sqrt(values.length),
});

/** Standard deviation. */
function deviation(values: ArrayLike<number>): number {
  const centre = mean(values);
  return Math.sqrt(mean(Float64Array.from(values, (value) => (value - centre) ** 2)));
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}
