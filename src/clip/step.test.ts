/**
 * The CLIP in micro-batches: its loss compares all with all, and its gradients are those of the whole batch all the
 * same.
 */

import { afterAll, expect, it } from 'vitest';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { float32, int32, type NDArray, scalar } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import type { Executable } from '../engine/engine.ts';
import { blank, initialize } from '../nn/parameters.ts';
import { adamState } from '../optim/adamw.ts';
import { GRADIENTS } from '../optim/micro-batches.ts';
import { integers, normalBatch } from '../random/noise.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { type ClipStepOptions, stepOf, stepPrograms, textProgram } from './step.ts';
import { clipParameters } from './towers.ts';

const [batch, captions, length, imageSize] = [6, 2, 5, 16];
const sizes = { dim: 12, imageSize, imageChannels: 8, textWidth: 8, textHidden: 8, vocabulary: 30 };
const settings = { ...makeRecipe('nano').clip, ...sizes, batch, captions, gapWeight: 0.5 };
const parameters = clipParameters(settings, 20);
const rows = Int32Array.from({ length: 30 }, (_, i) => Math.min(i, 20));
const options: ClipStepOptions = { settings, parameters, rows, length };

const key = (stream: string) => ({ seed: 1, stream, step: 0 });
const samples = Array.from({ length: batch }, (_, i) => i);
const images = float32(normalBatch(key('images'), samples, 3 * imageSize ** 2), [batch, 3, imageSize, imageSize]);
const ids = int32(Int32Array.from(integers(key('ids'), 0, captions * batch * length, 30)), [captions, batch, length]);

const engine = startKeepingEngine();
afterAll(() => engine.close());

async function walk(parts: number, steps: number) {
  const programs: Executable[] = [];
  for (const { write, ...how } of stepPrograms(options, parts)) programs.push(await engine.compile(write(), how));
  const step = stepOf(settings, parts, programs);
  const params = initialize(parameters, 3);
  await engine.drop('');
  await engine.load({ params, adam: adamState(params), [GRADIENTS]: blank(parameters) });
  const results = [];
  let mean: Record<string, NDArray> = {};
  for (let i = 0; i < steps; i++) {
    const { loss, accuracy } = await step({ images, ids, lr: scalar(0.01) });
    results.push([loss!.data[0]!, accuracy!.data[0]!]);
    // After one step Adam's first moment is a tenth of the gradient.
    if (i === 0) mean = flatten(structuredClone(await engine.read('adam.mean'))) as Record<string, NDArray>;
  }
  return { results, mean };
}

const size = (a: ArrayLike<number>): number => Math.hypot(...Array.from(a));

it.each([2, 3, 6])('learns in %i parts what the whole batch teaches', async (parts) => {
  const [whole, split] = [await walk(1, 4), await walk(parts, 4)];
  whole.results.forEach(([loss, accuracy], i) => {
    expect(split.results[i]![0]! / loss!).toBeCloseTo(1, 3);
    expect(split.results[i]![1]).toBe(accuracy);
  });
  expect(whole.results[3]![0]).toBeLessThan(whole.results[0]![0]!);
  const total = size(Object.values(whole.mean).flatMap(({ data }) => [...data]));
  expect(total).toBeGreaterThan(0);
  expect(Object.keys(whole.mean)).toContain('logScale');
  for (const [path, { data }] of Object.entries(whole.mean)) {
    const error = size(Array.from(data, (x, i) => x - split.mean[path]!.data[i]!));
    expect(error, path).toBeLessThan(1e-3 * size(data) + 1e-6 * total);
  }
});

it('leaves an image tower alone that is kept, and learns its texts', async () => {
  const { image } = initialize(parameters, 9);
  const program = await engine.compile(textProgram(options, image));
  const { text, logScale } = parameters;
  const params = initialize({ text, logScale }, 3);
  await engine.drop('');
  await engine.load({ params, adam: adamState(params) });
  const losses = [];
  for (let i = 0; i < 6; i++) losses.push((await program.run({ images, ids, lr: scalar(0.01) })).loss!.data[0]!);
  expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  expect(Object.keys(await engine.describe('params')).some((name) => name.startsWith('params.image'))).toBe(false);
});
