/** Large batches in little memory: the gradients of micro-batches, added up, are those of the whole batch. */

import { UserError } from '../errors.ts';
import { float32, type NDArray, scalar } from '../ndarray.ts';

/**
 * Pictures in each of `parts` micro-batches.
 * @throws UserError if the batch does not divide.
 */
export function microBatch(batch: number, parts: number): number {
  if (batch % parts !== 0)
    throw new UserError(`--accumulate ${parts} does not divide a batch of ${batch}: choose one of ${divisors(batch)}`);
  return batch / parts;
}

const divisors = (n: number): string =>
  Array.from({ length: n }, (_, i) => i + 1)
    .filter((i) => n % i === 0)
    .join(', ');

/** Feeds of a batch, cut along their leading axis. */
export function split(feeds: Readonly<Record<string, NDArray>>, parts: number): Record<string, NDArray>[] {
  return Array.from({ length: parts }, (_, part) =>
    Object.fromEntries(Object.entries(feeds).map(([name, array]) => [name, rows(array, part, parts)])),
  );
}

function rows(array: NDArray, part: number, parts: number): NDArray {
  const length = array.data.length / parts;
  const shape = [array.shape[0]! / parts, ...array.shape.slice(1)];
  return { ...array, shape, data: array.data.slice(part * length, (part + 1) * length) } as NDArray;
}

/**
 * What the whole batch would have reported: the mean of the losses, all KL terms in order, the norm of the gradients' sum. The
 * cross entropy is the mean of the parts' means, which weighs parts alike however many tokens each has masked; it is only reported.
 */
export function joinResults(results: readonly Readonly<Record<string, NDArray>>[]): Record<string, NDArray> {
  const mean = (name: string) => scalar(results.reduce((sum, r) => sum + r[name]!.data[0]!, 0) / results.length);
  const kl = Float32Array.from(results.flatMap((result) => [...result.kl!.data]));
  return {
    loss: mean('loss'),
    crossEntropy: mean('crossEntropy'),
    kl: float32(kl, [kl.length]),
    norm: results.at(-1)!.norm!,
  };
}
