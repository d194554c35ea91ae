/** Programs over ranks, segment by segment in float64, against one rank that has the whole batch. */

import { expect, it } from 'vitest';
import { interpret, type Values } from '../../test/support/interpreter.ts';
import { weighted, weights, worstError } from '../../test/support/numeric.ts';
import type { NDArray } from '../base/ndarray.ts';
import { batchNorm } from '../nn/batch-norm.ts';
import * as g from './index.ts';

type Arrays = Readonly<Record<string, NDArray>>;

const BATCH = 4;
const f64 = (...shape: number[]): g.Spec => ({ shape, dtype: 'float64' });
const SHARED = {
  kernel: weights([3, 2, 2, 2], 1),
  scale: weights([3], 2),
  shift: weights([3], 3),
  mean: weights([3], 4),
  variance: weights([3], 5),
};
const [PICTURES, FACTORS] = [weights([BATCH, 2, 3, 3], 6), weights([BATCH, 1, 1, 1], 7)];

/** Two normalisations behind each other, of the statistics of the whole batch; gradients, and a weight's next value. */
const programOf = (ranks: number): g.Program =>
  g.trace(
    {
      ...{ kernel: f64(3, 2, 2, 2), scale: f64(3), shift: f64(3), mean: f64(3), variance: f64(3) },
      ...{ x: f64(BATCH / ranks, 2, 3, 3), factor: f64(BATCH / ranks, 1, 1, 1) },
    },
    ({ kernel, scale, shift, mean, variance, x, factor }) => {
      const p = { weight: scale, bias: shift };
      const before = { running_mean: mean, running_var: variance, num_batches_tracked: g.sum(mean) };
      const first = batchNorm(p, before, g.conv2d(x, kernel), ranks);
      const h = g.maximum(first.y, g.mul(first.y, 0.2));
      const second = batchNorm(p, first.running, g.tanh(h), ranks);
      const loss = g.mean(g.mul(g.square(g.add(second.y, weighted(kernel))), factor));
      const gradient = g.meanOverRanks(g.grad(loss, kernel), ranks);
      return {
        ...{ loss: g.meanOverRanks(loss, ranks), gradient, next: g.sub(kernel, gradient) },
        ...{ toPicture: g.grad(g.div(loss, ranks), x), running: second.running.running_var },
      };
    },
  );

const passingName = (index: number) => `passing ${index}`;

/** The results of each rank, which all run the program on their shares of the batch. */
function runOver(ranks: number, pictures = PICTURES, shared: Arrays = SHARED): Record<string, Values>[] {
  const share = ({ shape: [, ...rest], data }: NDArray, rank: number): NDArray => {
    const width = data.length / ranks;
    const shape = [BATCH / ranks, ...rest];
    return { dtype: 'float64', shape, data: Float64Array.from(data.slice(rank * width, (rank + 1) * width)) };
  };
  const known = Array.from({ length: ranks }, (_, rank): Record<string, NDArray> => {
    return { ...shared, x: share(pictures, rank), factor: share(FACTORS, rank) };
  });
  let results: Record<string, Values>[] = [];
  for (const { program, sums } of g.segmentsOf(programOf(ranks), passingName)) {
    results = known.map((values) => interpret(program, values));
    for (const [rank, made] of results.entries())
      for (const [name, { shape, data }] of Object.entries(made)) {
        const all = results.map((result) => result[name]!.data);
        const sum = sums.includes(name) ? data.map((_, i) => all.reduce((total, one) => total + one[i]!, 0)) : data;
        known[rank]![name] = { dtype: 'float64', shape, data: sum };
      }
  }
  return results;
}

it.each([2, 4])('over %i ranks have the results of the whole batch', (ranks) => {
  const [whole] = runOver(1);
  const all = runOver(ranks);
  for (const name of ['loss', 'gradient', 'next', 'running'])
    for (const one of all) expect(worstError(one[name]!.data, whole![name]!.data), name).toBeLessThan(1e-12);
  const toPictures = all.flatMap(({ toPicture }) => [...toPicture!.data]);
  expect(worstError(toPictures, whole!.toPicture!.data)).toBeLessThan(1e-12);
});

it('have gradients over 2 ranks that agree with central differences', () => {
  const lossWith = (array: NDArray<'float64'>, i: number, by: number): number => {
    const data = array.data.with(i, array.data[i]! + by);
    const moved = { ...array, data };
    const [one] = array === PICTURES ? runOver(2, moved) : runOver(2, PICTURES, { ...SHARED, kernel: moved });
    return one!.loss!.data[0]!;
  };
  const difference = (array: NDArray<'float64'>) => (i: number) =>
    (lossWith(array, i, 1e-5) - lossWith(array, i, -1e-5)) / 2e-5;
  const [first, second] = runOver(2);
  // One picture of each rank, and some weights.
  const toPictures = [...first!.toPicture!.data, ...second!.toPicture!.data];
  const places = [0, 7, 17, 40, 71];
  expect(
    worstError(
      places.map((i) => toPictures[i]!),
      places.map(difference(PICTURES)),
    ),
  ).toBeLessThan(1e-7);
  const weightPlaces = [0, 10, 23];
  expect(
    worstError(
      weightPlaces.map((i) => first!.gradient!.data[i]!),
      weightPlaces.map(difference(SHARED.kernel)),
    ),
  ).toBeLessThan(1e-7);
});

it('are as few as the longest chain of sums allows: two sums a normalisation each way, and one of results', () => {
  const segments = g.segmentsOf(programOf(2), passingName);
  expect(segments).toHaveLength(2 * 2 + 2 * 2 + 1 + 1);
  expect(segments.at(-1)!.sums).toEqual([]);
});

it('give all results in the last one, so that none reads state that another has replaced', () => {
  const program = programOf(2);
  const segments = g.segmentsOf(program, passingName);
  const results = segments.map(({ program: { outputs } }) =>
    Object.keys(outputs).filter((name) => name in program.outputs),
  );
  expect(results.slice(0, -1).flat()).toEqual([]);
  expect(results.at(-1)).toEqual(Object.keys(program.outputs));
});

it('are one where nothing is added up', () => {
  const [only, ...others] = g.segmentsOf(programOf(1), passingName);
  expect(others).toEqual([]);
  expect(Object.keys(only!.program.outputs)).toEqual(Object.keys(programOf(1).outputs));
});
