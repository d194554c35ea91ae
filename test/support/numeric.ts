/**
 * Gradients two ways: by the gradient table, and by central differences of the interpreted function. Both in float64.
 */

import { type NDArray, sizeOf } from '../../src/base/ndarray.ts';
import * as g from '../../src/graph/index.ts';
import type { Tensor } from '../../src/graph/tensor.ts';
import { evaluate, toValues, type Values } from './interpreter.ts';

const STEP = 1e-5;

/**
 * Fixed numbers without a pattern, in [-1, 1]: weights that make a scalar of a tensor without hiding any element.
 * Multiples of 1/1024, which every float type holds exactly.
 */
export function weights(shape: readonly number[], seed = 0): NDArray<'float64'> {
  const data = Float64Array.from(
    { length: sizeOf(shape) },
    (_, i) => Math.round(1024 * Math.sin(12.9898 * (i + 1) + 78.233 * seed)) / 1024,
  );
  return { dtype: 'float64', shape, data };
}

/** Σ y · weights. */
export const weighted = (y: Tensor, seed = 0): Tensor =>
  g.sum(g.mul(y, g.cast(g.constant(weights(y.shape, seed)), y.dtype)));

const differentiable = (array: NDArray): boolean => array.dtype === 'float64';

/** For each float operand of a scalar function, its gradient by the table and by central differences. */
export function bothGradients(
  operands: readonly NDArray[],
  scalar: (...operands: Tensor[]) => Tensor,
): { readonly table: Values; readonly differences: Values }[] {
  const inputs = operands.map((array, i) => g.input(`x${i}`, array));
  const loss = scalar(...inputs);
  const feeds = new Map(inputs.map((tensor, i) => [tensor, toValues(operands[i]!)]));
  const wrt = inputs.filter((_, i) => differentiable(operands[i]!));
  const gradients = g.grad(loss, Object.fromEntries(wrt.map((tensor, i) => [`${i}`, tensor])));
  const table = evaluate(Object.values(gradients), feeds);
  return wrt.map((tensor, i) => ({ table: table[i]!, differences: centralDifferences(loss, tensor, feeds) }));
}

function centralDifferences(loss: Tensor, wrt: Tensor, feeds: ReadonlyMap<Tensor, Values>): Values {
  const { shape, data } = feeds.get(wrt)!;
  const lossAt = (i: number, delta: number): number => {
    const moved = data.with(i, data[i]! + delta);
    return evaluate([loss], new Map([...feeds, [wrt, { shape, data: moved }]]))[0]!.data[0]!;
  };
  return { shape, data: data.map((_, i) => (lossAt(i, STEP) - lossAt(i, -STEP)) / (2 * STEP)) };
}

/** The largest |a − b| / (1 + |b|). */
export function worstError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < b.length; i++) {
    const error = Math.abs(a[i]! - b[i]!) / (1 + Math.abs(b[i]!));
    // A NaN must not pass for a small error.
    worst = error <= worst ? worst : Number.isNaN(error) ? Infinity : error;
  }
  return worst;
}
