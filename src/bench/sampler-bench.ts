/**
 * What each sampler gives for its network passes: attributes that a classifier recognises, distance to real pictures,
 * and seconds. All samplers draw for the same prompts from the same seeds, so that they are compared picture by picture
 * with the reference.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { float32 } from '../base/ndarray.ts';
import { inTurns } from '../base/steps.ts';
import { readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import { packImages } from '../data/pictures/image.ts';
import { type FaceClassifier, type Request, recognisedShares } from '../evaluation/classifier/face-classifier.ts';
import {
  type Distances,
  distancesOf,
  type Estimate,
  meanDifference,
  meanOf,
  ratioOf,
  spreadOf,
} from '../evaluation/paired.ts';
import { makeFolder } from '../files/atomic.ts';
import type { GeneratedImage, GenerateOptions, Generator, Passes, SamplingChoice } from '../generation/generator.ts';
import { ALONE, lead, type Ranks } from '../mpi/ranks.ts';

/** One setting to measure. */
export interface Trial {
  /** Its name in the table. */
  readonly name: string;
  readonly sampling: Partial<SamplingChoice> & { readonly steps: number };
}

export interface Point extends Trial {
  /** Counted, not claimed: for one picture. */
  readonly passes: Passes;
  /** Mean share of the prompt's attributes that the classifier recognises; NaN without one. */
  readonly recognised: Estimate;
  /** That, less what it recognises in the reference's picture for the same prompt. */
  readonly recognisedDifference: Estimate;
  /**
   * Fréchet distance to real pictures in the CLIP's features, and as a multiple of the reference's; errors by
   * bootstrap.
   */
  readonly frechet: Estimate;
  readonly frechetRatio: Estimate;
  readonly clipScore: number;
  readonly secondsPerPicture: number;
}

/** What the bench needs of a generator. */
export type BenchGenerator = Pick<Generator, 'hash' | 'recipe'> & {
  generate(
    prompts: readonly string[],
    options: GenerateOptions,
  ): Promise<readonly Pick<GeneratedImage, 'image' | 'clipScore' | 'passes'>[]>;
  readonly clip: Pick<Generator['clip'], 'dim' | 'embedImages'>;
};

export interface SamplerBenchOptions {
  readonly generator: BenchGenerator;
  readonly requests: readonly Request[];
  readonly classifier: FaceClassifier | undefined;
  /** CLIP features of real pictures, [pictures, dim]. */
  readonly real: Float32Array;
  /** Seed of the first picture; the next ones count up. */
  readonly seed: number;
  /** Where finished pictures are kept as numbers; they are not made again. */
  readonly folder: string;
  /** The processes that draw together. */
  readonly ranks?: Ranks | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onTrial?: (trial: Trial, done: number, total: number) => void;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What is kept of some pictures of a trial. A line of each array is a picture. */
interface Measured {
  readonly recognised: Float32Array;
  readonly clipScores: Float32Array;
  readonly features: Float32Array;
  readonly passes: Passes;
  readonly seconds: number;
}

/** Pictures that are kept at once: a kill loses no more. */
export const CHUNK = 128;

/** Measure each trial; the first is the reference. */
export async function benchSamplers(trials: readonly Trial[], options: SamplerBenchOptions): Promise<Point[]> {
  makeFolder(options.folder);
  const points: Point[] = [];
  let reference: Compared | undefined;
  const carry = inTurns(() => options.signal?.throwIfAborted());
  for (const [i, trial] of trials.entries()) {
    options.onTrial?.(trial, i, trials.length);
    const measured = await measureAll(trial, options);
    const distances = await carry(distancesOf(measured.features, options.real, options.generator.clip.dim));
    reference ??= { recognised: measured.recognised, distances };
    points.push({ ...trial, ...summary(measured, distances, reference) });
  }
  return points;
}

interface Compared {
  readonly recognised: Float32Array;
  readonly distances: Distances;
}

function summary(measured: Measured, distances: Distances, reference: Compared): Omit<Point, keyof Trial> {
  const { recognised, clipScores, passes, seconds } = measured;
  return {
    passes,
    recognised: meanOf(recognised),
    recognisedDifference: meanDifference(recognised, reference.recognised),
    frechet: spreadOf(distances),
    frechetRatio: ratioOf(distances, reference.distances),
    clipScore: meanOf(clipScores).value,
    secondsPerPicture: seconds / recognised.length,
  };
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
    recognised: joined(({ recognised }) => recognised),
    clipScores: joined(({ clipScores }) => clipScores),
    features: joined(({ features }) => features),
    passes: parts[0]!.passes,
    seconds: parts.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

/** From the folder, or made now. */
async function measureChunk(trial: Trial, start: number, options: SamplerBenchOptions): Promise<Measured> {
  const { generator, requests, seed, folder, ranks = ALONE } = options;
  const wanted = requests.slice(start, start + CHUNK);
  const { promptPrefix, nullEmbedding, ...recipe } = generator.recipe.sampling;
  const identity = JSON.stringify([generator.hash, wanted, seed + start, { ...recipe, ...trial.sampling }]);
  const name = createHash('sha256').update(identity).digest('hex').slice(0, 24);
  const file = path.join(folder, `${name}.safetensors`);
  if (await lead(ranks, () => fs.existsSync(file))) return read(file);
  const measured = await measure(trial, wanted, seed + start, options);
  const { recognised, clipScores, features, passes, seconds } = measured;
  const numbers = Float32Array.of(passes.conditional, passes.unconditional, seconds);
  // Runs of the bench keep it under its first name.
  const columns = Object.entries({ judged: recognised, clipScores, features, numbers });
  if (ranks.rank === 0)
    writeSafetensors(file, Object.fromEntries(columns.map(([key, data]) => [key, float32(data, [data.length])])));
  await ranks.barrier();
  // As it is kept, rounded: a repeated run prints the same numbers.
  return read(file);
}

function read(file: string): Measured {
  const { tensors } = readSafetensors(file);
  const column = (key: string) => tensors[key]!.data as Float32Array;
  const numbers = column('numbers');
  return {
    recognised: column('judged'),
    clipScores: column('clipScores'),
    features: column('features'),
    passes: { conditional: numbers[0]!, unconditional: numbers[1]! },
    seconds: numbers[2]!,
  };
}

async function measure(
  { sampling }: Trial,
  requests: readonly Request[],
  seed: number,
  { generator, classifier, signal }: SamplerBenchOptions,
): Promise<Measured> {
  const start = performance.now();
  const prompts = requests.map(({ prompt }) => prompt);
  // Noise of its own for each, or all would share the same luck.
  const pictures = await generator.generate(prompts, { ...sampling, seed: prompts.map((_, i) => seed + i), signal });
  const seconds = (performance.now() - start) / 1000;
  const images = pictures.map(({ image }) => image);
  return {
    recognised: classifier
      ? Float32Array.from(await recognisedShares(classifier, requests, packImages(images)))
      : new Float32Array(requests.length).fill(Number.NaN),
    clipScores: Float32Array.from(pictures, ({ clipScore }) => clipScore),
    features: await generator.clip.embedImages(images),
    passes: pictures[0]!.passes,
    seconds,
  };
}
