/**
 * The lowering table: ONNX Runtime, fed what the writer writes, against the interpreter; values and gradients, over
 * random shapes.
 */

import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { interpret } from '../../test/support/interpreter.ts';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { weighted, worstError } from '../../test/support/numeric.ts';
import { type Trial, trials } from '../../test/support/trials.ts';
import { float32, type NDArray, type Tree } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import * as g from './index.ts';
import { shapeRules } from './shapes.ts';
import type { Primitive, Tensor } from './tensor.ts';

const SETTINGS = { seed: 7, numRuns: 15 };
const TOLERANCE = { float32: 1e-5, float64: 1e-12 };
type Float = keyof typeof TOLERANCE;

const engine = startKeepingEngine();
afterAll(() => engine.close());

const primitives = Object.keys(shapeRules) as Primitive[];
/** ONNX Runtime's CPU provider has no float64 kernels for these. */
const float32Only: readonly Primitive[] = ['conv2d', 'convTranspose2d'];

const as = (dtype: Float, array: NDArray): NDArray =>
  array.dtype === 'float64' && dtype === 'float32'
    ? { dtype, shape: array.shape, data: Float32Array.from(array.data) }
    : array;

const numbered = <T>(list: readonly T[]): Record<string, T> => Object.fromEntries(list.map((x, i) => [`${i}`, x]));

/** The results of a trial, and the gradients of its first if that can have any. */
function valuesAndGradients({ apply }: Trial, operands: readonly Tensor[]): Tree<Tensor> {
  const results = apply(...operands);
  const wrt = operands.filter(({ dtype }) => dtype.startsWith('float'));
  const gradients = results[0]!.dtype.startsWith('float')
    ? g.grad<Tree<Tensor>>(weighted(results[0]!), numbered(wrt))
    : {};
  return { result: numbered(results), gradient: gradients };
}

/** Many trials in one program, and so in one session. */
async function expectAgreement(sample: readonly Trial[], dtype: Float): Promise<void> {
  const feeds = numbered(sample.map(({ operands }) => numbered(operands.map((array) => as(dtype, array)))));
  const program = g.trace(feeds, (inputs) =>
    numbered(sample.map((trial, i) => valuesAndGradients(trial, Object.values(inputs[`${i}`]!)))),
  );
  const actual = await (await engine.compile(program)).run(feeds);
  const expected = interpret(program, flatten<NDArray>(feeds));
  expect(Object.keys(expected).length).toBeGreaterThanOrEqual(sample.length);
  for (const [name, { data }] of Object.entries(expected)) {
    const { dtype, shape } = program.outputs[name]!;
    expect(actual[name], name).toMatchObject({ dtype, shape });
    const tolerance = dtype === 'float32' || dtype === 'float64' ? TOLERANCE[dtype] : Number.MIN_VALUE;
    expect(worstError(actual[name]!.data, data), name).toBeLessThan(tolerance);
  }
}

describe('ONNX Runtime', () => {
  it.each(primitives)('agrees with the interpreter on %s in float32', (op) =>
    expectAgreement(fc.sample(trials[op], SETTINGS), 'float32'),
  );
});

describe('ONNX Runtime', () => {
  it.each(primitives.filter((op) => !float32Only.includes(op)))('agrees with the interpreter on %s in float64', (op) =>
    expectAgreement(fc.sample(trials[op], SETTINGS), 'float64'),
  );
});

describe('integers', () => {
  it('count and divide as int32', async () => {
    const feeds = {
      a: { dtype: 'int32', shape: [4], data: Int32Array.of(7, -7, 2 ** 30, 0) },
      b: { dtype: 'int32', shape: [4], data: Int32Array.of(2, 2, 3, 5) },
    } satisfies Record<string, NDArray>;
    const program = g.trace(feeds, ({ a, b }) => ({
      add: g.add(a, 1),
      sub: g.sub(a, b),
      mul: g.mul(b, 3),
      div: g.div(a, b),
      maximum: g.maximum(a, b),
      chosen: g.where(g.greater(a, b), a, b),
    }));
    const actual = await (await engine.compile(program)).run(feeds);
    for (const [name, { data }] of Object.entries(interpret(program, feeds)))
      expect([...actual[name]!.data], name).toEqual([...data]);
  });
});

describe('names', () => {
  it('of inputs never clash with those the writer makes up', async () => {
    const next = g.input('probe', g.f32()).id + 1;
    const names = ['_0', '0', ...Array.from({ length: 8 }, (_, i) => `t${next + i}`)];
    const feeds = Object.fromEntries(names.map((name, i) => [name, float32([i, -i], [2])]));
    const program = g.trace(feeds, (inputs) => ({
      sum: names.map((name) => g.exp(inputs[name]!)).reduce((a, b) => g.add(a, b)),
      largest: g.argmax(inputs._0!, 0),
    }));
    const actual = await (await engine.compile(program)).run(feeds);
    for (const [name, { data }] of Object.entries(interpret(program, feeds)))
      expect(worstError(actual[name]!.data, data), name).toBeLessThan(TOLERANCE.float32);
  });
});
