/**
 * Large batches in little memory: a batch is computed in equal micro-batches, one after another, whose gradients are
 * added up.
 */

import { UserError } from '../base/errors.ts';
import { float32, type NDArray, type Tree } from '../base/ndarray.ts';
import { flatten, mapTree } from '../base/tree.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';

/** The state path of gradients that wait for their update. Every step writes them anew: no checkpoint needs them. */
export const GRADIENTS = 'gradients';

/**
 * Pictures in each of `microBatches` micro-batches.
 * @throws UserError if the batch does not divide.
 */
export function microBatchSize(batch: number, microBatches: number): number {
  if (batch % microBatches !== 0)
    throw new UserError(
      `${microBatches} micro-batches do not divide a batch of ${batch}: choose one of ${divisors(batch).join(', ')}`,
    );
  return batch / microBatches;
}

/**
 * The micro-batches that a stage's batch is computed in where `wanted` are set: no more than it has pictures.
 * @throws UserError if the batch does not divide.
 */
export function microBatchesOf(batch: number, wanted = 1): number {
  const microBatches = Math.min(wanted, batch);
  microBatchSize(batch, microBatches);
  return microBatches;
}

/** The numbers that divide `n`, ascending. */
export const divisors = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1).filter((i) => n % i === 0);

/** Feeds of a batch, cut along their leading axis; scalars go to every micro-batch. */
export function split(feeds: Readonly<Record<string, NDArray>>, count: number): Record<string, NDArray>[] {
  const pieces = Object.entries(feeds).map(
    ([name, array]) => [name, array.shape.length === 0 ? undefined : cut(array, count), array] as const,
  );
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(pieces.map(([name, cuts, whole]) => [name, cuts?.[i] ?? whole])),
  );
}

/**
 * An array [batch, …] cut along the batch into `count` pieces; with several `groups`, [groups, batch, …], each has all
 * of them.
 */
export function cut(array: NDArray, count: number, groups = 1): NDArray[] {
  const width = array.data.length / groups / count;
  const shape = resized(array.shape, 1 / count, groups);
  return Array.from({ length: count }, (_, i) => {
    const data = array.data.slice(0, groups * width);
    for (let k = 0; k < groups; k++)
      data.set(array.data.subarray((k * count + i) * width, (k * count + i + 1) * width), k * width);
    return { ...array, shape, data } as NDArray;
  });
}

/** The inverse of `cut`, for float32. */
export function join(pieces: readonly NDArray[], groups = 1): NDArray<'float32'> {
  const [first] = pieces as [NDArray];
  const width = first.data.length / groups;
  const data = new Float32Array(first.data.length * pieces.length);
  for (const [i, array] of pieces.entries())
    for (let k = 0; k < groups; k++)
      data.set(array.data.subarray(k * width, (k + 1) * width), (k * pieces.length + i) * width);
  return float32(data, resized(first.shape, pieces.length, groups));
}

const resized = (shape: readonly number[], factor: number, groups: number): number[] =>
  shape.map((d, axis) => (axis === (groups === 1 ? 0 : 1) ? Math.round(d * factor) : d));

/** `keep` times a sum, which is 0 for the first micro-batch and 1 for the others, and `more`. */
export const addedUp = (sum: Tensor, keep: Tensor, more: Tensor): Tensor => g.add(g.mul(sum, keep), more);

/** `addedUp` of every gradient and the sum that has its path. */
export function addGradients(sums: Tree<Tensor>, keep: Tensor, gradients: Tree<Tensor>): Tree<Tensor> {
  const before = flatten<Tensor>(sums);
  return mapTree<Tensor, Tensor>(gradients, (gradient, path) => addedUp(before[path]!, keep, gradient));
}
