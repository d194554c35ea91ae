/** The gradient table against central differences in float64, over random shapes, for every primitive there is. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate, toValues } from '../../test/support/interpreter.ts';
import { bothGradients, weighted, weights, worstError } from '../../test/support/numeric.ts';
import { type Trial, trials } from '../../test/support/trials.ts';
import type { NDArray } from '../base/ndarray.ts';
import * as g from './index.ts';
import { shapeRules } from './shapes.ts';
import type { Primitive, Tensor } from './tensor.ts';
import { schedule } from './trace.ts';

const SETTINGS = { seed: 20_240_314, numRuns: 25 };
const TOLERANCE = 1e-6;

const primitives = Object.keys(shapeRules) as Primitive[];
/** Their results are booleans or indices. */
const notDifferentiable: readonly Primitive[] = ['greater', 'equal', 'argmax'];
const differentiable = primitives.filter((op) => !notDifferentiable.includes(op));

const f64 = (data: readonly number[], shape: readonly number[] = [data.length]): NDArray<'float64'> => ({
  dtype: 'float64',
  shape,
  data: Float64Array.from(data),
});

function expectGradientsAgree(operands: readonly NDArray[], scalar: (...operands: Tensor[]) => Tensor): void {
  for (const { table, differences } of bothGradients(operands, scalar)) {
    expect(table.shape).toEqual(differences.shape);
    expect(worstError(table.data, differences.data)).toBeLessThan(TOLERANCE);
  }
}

/** The gradient of Σ f(x) · (1, 2, 3, …) by the table. */
function gradientOf(f: (...xs: Tensor[]) => Tensor, ...xs: readonly (readonly number[])[]): number[][] {
  const inputs = xs.map((x, i) => g.input(`x${i}`, f64(x)));
  const y = f(...inputs);
  const loss = g.sum(
    g.mul(
      y,
      g.constant(
        f64(
          [...Array(y.shape[0] ?? 1).keys()].map((i) => i + 1),
          y.shape,
        ),
      ),
    ),
  );
  const gradients = inputs.map((x) => g.grad(loss, x));
  return evaluate(gradients, new Map(inputs.map((x, i) => [x, toValues(f64(xs[i]!))]))).map(({ data }) => [...data]);
}

describe('a gradient', () => {
  it.each(differentiable)('of %s agrees with central differences', (op) => {
    fc.assert(
      fc.property(trials[op], ({ operands, apply }: Trial) => {
        expectGradientsAgree(operands, (...xs) => weighted(apply(...xs)[0]!));
      }),
      SETTINGS,
    );
  });

  it.each(primitives)('the trials of %s apply it', (op) => {
    for (const { operands, apply } of fc.sample(trials[op], SETTINGS)) {
      const inputs = operands.map((array, i) => g.input(`x${i}`, array));
      const nodes = schedule({ inputs: {}, outputs: { y: apply(...inputs)[0]! } });
      expect(nodes.map((node) => node.op)).toContain(op);
    }
  });

  it.each(notDifferentiable)('%s passes no gradient', (op) => {
    for (const { operands, apply } of fc.sample(trials[op], SETTINGS)) {
      const inputs = operands.map((array, i) => g.input(`x${i}`, g.f32(...array.shape)));
      const gradients = inputs.map((x) => g.grad(g.sum(g.cast(apply(...inputs)[0]!, 'float32')), x));
      const feeds = new Map(inputs.map((x, i) => [x, toValues(operands[i]!)]));
      for (const { data } of evaluate(gradients, feeds)) expect(data.every((v) => v === 0)).toBe(true);
    }
  });

  it('of a tensor that is used twice, and through a longer chain', () => {
    fc.assert(
      fc.property(trials.matmul, ({ operands: [a, b] }) => {
        expectGradientsAgree([a!, b!], (x, w) => {
          const y = g.softmax(g.matmul(g.tanh(x!), w!));
          return weighted(g.add(g.mul(y, y), g.mean(g.sub(y, g.max(y, -1, true)), -1, true)));
        });
      }),
      SETTINGS,
    );
  });
});

describe('gradients of gradients', () => {
  const second = (apply: Trial['apply']) => (x: Tensor, rest: readonly Tensor[]) =>
    weighted(g.grad(weighted(apply(x, ...rest)[0]!), x), 1);

  it.each(['mul', 'exp', 'matmul', 'softmax', 'div', 'tanh', 'swish', 'conv2d', 'convTranspose2d'] as const)(
    '%s',
    (op) => {
      fc.assert(
        fc.property(trials[op], ({ operands, apply }: Trial) => {
          // Squared, so that the gradient of a linear primitive is not constant.
          const squared: Trial['apply'] = (...xs) => [g.square(apply(...xs)[0]!)];
          expectGradientsAgree(operands, (x, ...rest) => second(squared)(x!, rest));
        }),
        { ...SETTINGS, numRuns: 10 },
      );
    },
  );
});

describe('conventions at the kinks', () => {
  it('maximum and minimum give a tie to the first operand', () => {
    expect(gradientOf((a, b) => g.maximum(a!, b!), [1, 2, 3], [1, 5, 0])).toEqual([
      [1, 0, 3],
      [0, 2, 0],
    ]);
    expect(gradientOf((a, b) => g.minimum(a!, b!), [1, 2, 3], [1, 5, 0])).toEqual([
      [1, 2, 0],
      [0, 0, 3],
    ]);
  });

  it('clamp passes the gradient at its limits and stops it outside', () => {
    expect(gradientOf((x) => g.clamp(x!, 0, 1), [-1, 0, 0.5, 1, 2])).toEqual([[0, 2, 3, 4, 0]]);
  });

  it('reduceMax shares the gradient equally among ties', () => {
    expect(gradientOf((x) => g.max(x!), [3, 1, 3, 3])).toEqual([[1 / 3, 0, 1 / 3, 1 / 3]]);
    const rows = gradientOf((x) => g.max(g.reshape(x!, [2, 3]), 1), [5, 5, 0, 7, 6, 7]);
    expect(rows).toEqual([[0.5, 0.5, 0, 1, 0, 1]]);
  });

  it('abs is flat at zero', () => {
    expect(gradientOf((x) => g.abs(x!), [-2, 0, 2])).toEqual([[-1, 0, 3]]);
  });
});

describe('gradients given by hand', () => {
  it('are what comes out, in place of those of the computation', () => {
    const [a, b] = gradientOf(
      (x, w) => g.withGradient(g.exp(g.mul(x!, w!)), [x!, w!], (gradient) => [g.mul(gradient, 10), undefined]),
      [0.5, -1],
      [2, 3],
    );
    expect(a).toEqual([10, 20]);
    expect(b).toEqual([0, 0]);
  });

  it('stopGradient is the identity with a zero gradient', () => {
    expect(gradientOf((x) => g.mul(g.stopGradient(x!), x!), [2, 3])).toEqual([[2, 6]]);
    const x = g.input('x', f64([2, 3]));
    expect(evaluate([g.stopGradient(x)], new Map([[x, toValues(f64([2, 3]))]]))[0]!.data).toEqual(
      Float64Array.of(2, 3),
    );
  });

  it('a straight-through estimate keeps the value of one branch and the gradient of the other', () => {
    const straightThrough = (x: Tensor) => {
      const soft = g.tanh(x);
      const hard = g.cast(g.greater(x, 0), 'float64');
      return g.add(soft, g.stopGradient(g.sub(hard, soft)));
    };
    const [gradient] = gradientOf((x) => straightThrough(x!), [0.5, -1]);
    const expected = [1 - Math.tanh(0.5) ** 2, 2 * (1 - Math.tanh(1) ** 2)];
    expect(worstError(gradient!, expected)).toBeLessThan(1e-12);
  });
});

describe('grad', () => {
  it('is zero for what the loss does not depend on, and one for the loss itself', () => {
    const x = g.input('x', f64([1, 2]));
    const unused = g.input('unused', f64([3, 4]));
    const loss = weighted(x);
    const [zero, one] = evaluate(
      [g.grad(loss, unused), g.grad(loss, loss)],
      new Map([
        [x, toValues(f64([1, 2]))],
        [unused, toValues(f64([3, 4]))],
      ]),
    );
    expect(zero!.data).toEqual(Float64Array.of(0, 0));
    expect(one!.data).toEqual(Float64Array.of(1));
  });

  it('reaches intermediate tensors as well as inputs', () => {
    const x = g.input('x', f64([1, 2]));
    const middle = g.exp(x);
    const { m, deep } = g.grad(weighted(g.square(middle)), { m: middle, deep: { x } });
    const [dm, dx] = evaluate([m, deep.x], new Map([[x, toValues(f64([1, 2]))]]));
    const r = weights([2]).data;
    expect(
      worstError(
        dm!.data,
        r.map((w, i) => 2 * w * Math.exp(i + 1)),
      ),
    ).toBeLessThan(1e-12);
    expect(
      worstError(
        dx!.data,
        r.map((w, i) => 2 * w * Math.exp(2 * (i + 1))),
      ),
    ).toBeLessThan(1e-12);
  });

  it('refuses a loss that is not a scalar', () => {
    const x = g.input('x', f64([1, 2]));
    expect(() => g.grad(x, x)).toThrow(/grad of \[2\].*scalar/);
  });
});
