import { expect, it } from 'vitest';
import { evaluate, toValues } from '../../../test/support/interpreter.ts';
import { float32 } from '../../base/ndarray.ts';
import * as g from '../../graph/index.ts';
import { executionOrder } from './order.ts';
import { spelledOut } from './zeros.ts';

const inputs = { weight: g.f32(3), x: g.f32(2, 2) };
/** A result of the weight alone, which is to wait for x's. */
const waiting = (wait: boolean) =>
  g.trace(inputs, ({ weight, x }) => {
    const first = g.exp(x);
    const late = g.sqrt(wait ? g.after(weight, first) : weight);
    return { late: g.sum(late), y: g.sum(first) };
  });
const opsOf = (program: g.Program) => executionOrder(program).map(({ op }) => op);

it('a value that is to wait is computed after what it waits for', () => {
  expect(opsOf(waiting(false)).indexOf('sqrt')).toBeLessThan(opsOf(waiting(false)).indexOf('exp'));
  const order = opsOf(spelledOut(waiting(true)));
  expect(order).not.toContain('after');
  expect(order.indexOf('sqrt')).toBeGreaterThan(order.indexOf('exp'));
});

it('nothing else is computed than without waiting', () => {
  const run = (program: g.Program) => {
    const { weight, x } = program.inputs as Record<'weight' | 'x', g.Tensor>;
    const feeds = new Map([
      [weight, toValues(float32([1, 4, 9], [3]))],
      [x, toValues(float32([0, 1, 2, 3], [2, 2]))],
    ]);
    return evaluate(Object.values(program.outputs), feeds);
  };
  expect(run(spelledOut(waiting(true)))).toEqual(run(waiting(false)));
});

it('a program in which nothing waits stays as it is', () => {
  const program = waiting(false);
  expect(spelledOut(program)).toBe(program);
});
