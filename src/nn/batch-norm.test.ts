/** Batch normalisation against its definition in float64, with gradients by differences. */

import { expect, it } from 'vitest';
import { batchNormEvaluation } from '../../test/reference/discriminator.ts';
import { evaluate, toValues } from '../../test/support/interpreter.ts';
import { bothGradients, weighted, weights, worstError } from '../../test/support/numeric.ts';
import type { NDArray } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import * as g from '../graph/index.ts';
import { batchNorm } from './batch-norm.ts';

const SHAPE = [3, 2, 4, 5] as const;
const [batch, channels, height, width] = SHAPE;
const count = batch * height * width;

const x = weights(SHAPE, 1);
const p = { weight: weights([channels], 2), bias: weights([channels], 3) };
const running = {
  running_mean: weights([channels], 4),
  running_var: { ...weights([channels], 5), data: Float64Array.of(0.7, 1.9) },
  num_batches_tracked: { dtype: 'float64', shape: [], data: Float64Array.of(6) },
} satisfies Record<string, NDArray>;

/** The values of one channel. */
const channel = (values: ArrayLike<number>, c: number): number[] =>
  Array.from({ length: values.length }, (_, i) => i)
    .filter((i) => Math.floor(i / (height * width)) % channels === c)
    .map((i) => values[i]!);

function run<T extends Record<string, g.Tensor>>(
  fn: (inputs: { p: typeof inputsOf.p; running: typeof inputsOf.running; x: g.Tensor }) => T,
): Record<string, ArrayLike<number>> {
  const outputs = fn(inputsOf);
  const feeds = new Map(
    Object.entries(flatten<g.Tensor>(inputsOf)).map(([name, tensor]) => [
      tensor,
      toValues(flatten<NDArray>({ p, running, x })[name]!),
    ]),
  );
  const values = evaluate(Object.values(outputs), feeds);
  return Object.fromEntries(Object.keys(outputs).map((name, i) => [name, values[i]!.data]));
}

const symbol = (name: string, array: NDArray) => g.input(name, array);
const inputsOf = {
  p: { weight: symbol('weight', p.weight), bias: symbol('bias', p.bias) },
  running: {
    running_mean: symbol('mean', running.running_mean),
    running_var: symbol('var', running.running_var),
    num_batches_tracked: symbol('count', running.num_batches_tracked),
  },
  x: symbol('x', x),
};

it('normalises each channel by its own statistics in training, and remembers them', () => {
  const out = run(({ p, running, x }) => {
    const { y, running: next } = batchNorm(p, running, x);
    return { y, ...next };
  });
  for (let c = 0; c < channels; c++) {
    const values = channel(x.data, c);
    const mean = values.reduce((a, b) => a + b, 0) / count;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const expected = values.map(
      (value) => ((value - mean) / Math.sqrt(squares / count + 1e-5)) * p.weight.data[c]! + p.bias.data[c]!,
    );
    expect(worstError(channel(out.y!, c), expected)).toBeLessThan(1e-12);
    expect(out.running_mean![c]).toBeCloseTo(0.9 * running.running_mean.data[c]! + 0.1 * mean, 12);
    expect(out.running_var![c]).toBeCloseTo(0.9 * running.running_var.data[c]! + (0.1 * squares) / (count - 1), 12);
  }
  expect(out.num_batches_tracked![0]).toBe(7);
});

it('normalises by the running statistics after training', () => {
  const out = run(({ p, running, x }) => ({ y: batchNormEvaluation(p, running, x) }));
  for (let c = 0; c < channels; c++) {
    const [mean, variance] = [running.running_mean.data[c]!, running.running_var.data[c]!];
    const expected = channel(x.data, c).map(
      (value) => ((value - mean) / Math.sqrt(variance + 1e-5)) * p.weight.data[c]! + p.bias.data[c]!,
    );
    expect(worstError(channel(out.y!, c), expected)).toBeLessThan(1e-12);
  }
});

it('has the gradient of its definition, through the statistics too', () => {
  const gradients = bothGradients([x, p.weight, p.bias], (x, weight, bias) =>
    weighted(batchNorm({ weight: weight!, bias: bias! }, inputsOf.running, x!).y, 7),
  );
  for (const { table, differences } of gradients) expect(worstError(table.data, differences.data)).toBeLessThan(1e-7);
});
