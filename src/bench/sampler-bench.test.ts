/**
 * The bench of samplers with a generator that draws noise: what is kept, what is made again after a stop, and what is
 * compared.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { uniforms } from '../random/noise.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { type BenchGenerator, benchSamplers, CHUNK, type Trial } from './sampler-bench.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'sampler-bench-'));
afterAll(() => fs.rmSync(root, { recursive: true }));

const DIM = 3;
const PICTURES = 2 * CHUNK + 10;
const trials: Trial[] = [
  { name: 'reference', sampling: { sampler: 'ancestral', steps: 5 } },
  { name: 'tried', sampling: { sampler: 'halton', steps: 2, guidanceScale: 1 } },
];

/** One pixel a picture, by its seed and its steps; `failAt` is the call that fails. */
function painter(failAt = Number.POSITIVE_INFINITY) {
  const calls: { seeds: readonly number[]; steps: number }[] = [];
  const recipe = makeRecipe('nano');
  const generator: BenchGenerator = {
    hash: 'weights',
    recipe,
    generate: async (prompts, { seed, steps, signal: _, onProgress: __, ...options }) => {
      if (calls.length === failAt) throw new Error('killed');
      const seeds = seed as readonly number[];
      calls.push({ seeds, steps: steps! });
      const passes = { conditional: steps!, unconditional: options.guidanceScale === 1 ? 0 : steps! };
      return prompts.map((_prompt, i) => {
        const data = Uint8Array.from(
          uniforms({ seed: 0, stream: `paint ${steps}`, step: 0 }, seeds[i]!, 3),
          (u) => 255 * u,
        );
        return { image: { data, width: 1, height: 1 }, clipScore: 0.5, passes };
      });
    },
    clip: {
      dim: DIM,
      embedImages: async (images) => Float32Array.from(images.flatMap(({ data }) => [...data].map((v) => v / 255))),
    },
  };
  return { generator, calls };
}

const requests = Array.from({ length: PICTURES }, (_, i) => ({ prompt: `picture ${i}`, attributes: {} }));
const real = Float32Array.from(uniforms({ seed: 0, stream: 'real', step: 0 }, 0, 300 * DIM));
const bench = (generator: BenchGenerator, folder: string, seed = 7) =>
  benchSamplers(trials, { generator, requests, classifier: undefined, real, seed, folder: path.join(root, folder) });
/** But for seconds, which nobody can repeat. */
const numbers = (points: Awaited<ReturnType<typeof bench>>) =>
  points.map(({ secondsPerPicture: _, ...point }) => point);

it('loses no more than a chunk when it is stopped, and ends with the same numbers', async () => {
  const whole = painter();
  const expected = await bench(whole.generator, 'whole');
  expect(whole.calls.map(({ seeds }) => seeds.length)).toEqual([CHUNK, CHUNK, 10, CHUNK, CHUNK, 10]);
  expect(whole.calls[1]!.seeds[0]).toBe(7 + CHUNK);

  await expect(bench(painter(4).generator, 'stopped')).rejects.toThrow('killed');
  const rest = painter();
  expect(numbers(await bench(rest.generator, 'stopped'))).toEqual(numbers(expected));
  expect(rest.calls).toEqual(whole.calls.slice(4));

  const again = painter();
  expect(await bench(again.generator, 'whole')).toEqual(expected);
  expect(again.calls).toEqual([]);
});

it('gives every trial the same prompts and seeds, and counts its passes', async () => {
  const { generator, calls } = painter();
  const [reference, tried] = (await bench(generator, 'paired')) as [Awaited<ReturnType<typeof bench>>[0], never];
  const seedsOf = (steps: number) => calls.filter((call) => call.steps === steps).flatMap(({ seeds }) => seeds);
  expect(seedsOf(2)).toEqual(seedsOf(5));
  expect(reference.frechetRatio).toEqual({ value: 1, error: 0 });
  expect(reference.passes).toEqual({ conditional: 5, unconditional: 5 });
  expect(tried).toMatchObject({ passes: { conditional: 2, unconditional: 0 }, clipScore: 0.5 });
});

it('makes other pictures for other seeds', async () => {
  const { generator, calls } = painter();
  await bench(generator, 'seeds', 0);
  await bench(generator, 'seeds', 1);
  expect(calls).toHaveLength(12);
});
