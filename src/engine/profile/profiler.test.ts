/** A profile has every operator and every run, with the arithmetic of the definition. */

import { afterAll, expect, it } from 'vitest';
import { float32 } from '../../base/ndarray.ts';
import * as g from '../../graph/index.ts';
import { Engine } from '../engine.ts';
import { flopOf, operatorTimes } from './operators.ts';
import { Profiler } from './profiler.ts';

const profiler = new Profiler();
afterAll(() => profiler.close());

const operand = (...shape: number[]) => ({ dtype: 'float', shape });

it('counts the arithmetic of products and convolutions, whichever operand is transposed', () => {
  const count = (operator: string, inputs: number[][], output: number[]) =>
    flopOf({ operator, inputs: inputs.map((shape) => operand(...shape)), outputs: [operand(...output)] });
  const product = 2 * 5 * 7 * 3;
  expect(
    count(
      'MatMul',
      [
        [5, 7],
        [7, 3],
      ],
      [5, 3],
    ),
  ).toBe(product);
  expect(
    count(
      'FusedMatMul',
      [
        [7, 5],
        [3, 7],
      ],
      [5, 3],
    ),
  ).toBe(product);
  expect(
    count(
      'MatMul',
      [
        [4, 5, 7],
        [7, 3],
      ],
      [4, 5, 3],
    ),
  ).toBe(4 * product);
  expect(count('MatMul', [[5, 7], [7]], [5])).toBe(2 * 5 * 7);
  expect(
    count(
      'Conv',
      [
        [1, 2, 8, 8],
        [6, 2, 3, 3],
      ],
      [1, 6, 8, 8],
    ),
  ).toBe(2 * 6 * 64 * 18);
  expect(
    count(
      'ConvTranspose',
      [
        [1, 2, 8, 8],
        [2, 6, 4, 4],
      ],
      [1, 6, 16, 16],
    ),
  ).toBe(2 * 2 * 64 * 6 * 16);
  expect(count('Mul', [[4], [4]], [4])).toBe(0);
});

it('records runs and, within them, operators', async () => {
  const engine = Engine.start({ threads: 1, profiler });
  const inputs = { x: g.f32(8, 64), w: g.f32(64, 32) };
  const program = await engine.compile(
    g.trace(inputs, ({ x, w }) => ({ y: g.exp(g.matmul(x, w)) })),
    { name: 'product' },
  );
  const feeds = { x: float32(new Float32Array(8 * 64), [8, 64]), w: float32(new Float32Array(64 * 32), [64, 32]) };
  await engine.span('thinking', async () => {});
  for (let i = 0; i < 3; i++) await program.run(feeds);
  await engine.close();

  expect(profiler.recordedRuns).toBe(3);
  expect(Object.keys(profiler.spans()).sort()).toEqual([
    'feed product',
    'fetch product',
    'fused update and results of product',
    'run product',
    'thinking',
  ]);
  const times = operatorTimes(profiler.kernels, { byShape: true });
  expect(times.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
  expect(times.find(({ operator }) => operator === 'MatMul')).toMatchObject({
    calls: 3,
    provider: 'CPU',
    shapes: '[8,64]·[64,32] → [8,32]',
  });
  const { kernels } = profiler;
  expect(kernels.reduce((sum, kernel) => sum + flopOf(kernel), 0)).toBe(3 * 2 * 8 * 64 * 32);

  interface Event {
    name: string;
    ph: string;
    ts: number;
    dur: number;
  }
  const { traceEvents } = JSON.parse([...profiler.trace()].join('')) as { traceEvents: Event[] };
  const named = (name: string) => traceEvents.filter((event) => event.ph === 'X' && event.name === name);
  const [runs, products] = [named('run product'), named('MatMul')];
  expect(products).toHaveLength(3);
  // Aligned at the first run: the operators of each lie between its start and the next one's.
  products.forEach((event, i) => {
    expect(event.ts).toBeGreaterThanOrEqual(runs[0]!.ts);
    expect(event.ts).toBeLessThan(runs[i + 1]?.ts ?? Number.POSITIVE_INFINITY);
  });
});
