/** Large batches in little memory: a batch is computed in equal parts, one after another, whose gradients are added up. */

import { UserError } from '../errors.ts';
import type { NDArray } from '../ndarray.ts';

/** The state path of gradients that wait for their update. Every step writes them anew: no checkpoint needs them. */
export const GRADIENTS = 'gradients';

/**
 * Pictures in each of `parts` micro-batches.
 * @throws UserError if the batch does not divide.
 */
export function microBatch(batch: number, parts: number): number {
  if (batch % parts !== 0)
    throw new UserError(
      `--accumulate ${parts} does not divide a batch of ${batch}: choose one of ${divisors(batch).join(', ')}`,
    );
  return batch / parts;
}

/**
 * The parts that a stage's batch is computed in where `asked` of them are wanted: no more than it has pictures.
 * @throws UserError if the batch does not divide.
 */
export function partsOf(batch: number, asked = 1): number {
  const parts = Math.min(asked, batch);
  microBatch(batch, parts);
  return parts;
}

/** The numbers that divide `n`, ascending. */
export const divisors = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1).filter((i) => n % i === 0);

/** Feeds of a batch, cut along their leading axis; scalars go to every part. */
export function split(feeds: Readonly<Record<string, NDArray>>, parts: number): Record<string, NDArray>[] {
  return Array.from({ length: parts }, (_, part) =>
    Object.fromEntries(Object.entries(feeds).map(([name, array]) => [name, rows(array, part, parts)])),
  );
}

function rows(array: NDArray, part: number, parts: number): NDArray {
  if (array.shape.length === 0) return array;
  const length = array.data.length / parts;
  const shape = [array.shape[0]! / parts, ...array.shape.slice(1)];
  return { ...array, shape, data: array.data.slice(part * length, (part + 1) * length) } as NDArray;
}
