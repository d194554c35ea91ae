/**
 * The order in which the engine holds the weights of 3x3 convolutions while it trains and samples: taps first, [3, 3, in, out], where files and
 * PyTorch have [out, in, 3, 3]. Winograd's transform of taps-first weights is one matrix product, and so is its gradient; in the other
 * order each needs transposes that take longer than the products.
 */

import { float32, type NDArray, type Tree } from '../ndarray.ts';
import type { Parameter } from '../nn/parameters.ts';
import { mapTree } from '../tree.ts';

/** Only convolutions have weights of rank four. */
const isConv = (shape: readonly number[]): boolean => shape.length === 4;

/** The shapes of parameters as the engine holds them. */
export function arrangedParameters<P extends Tree<Parameter>>(parameters: P): P;
export function arrangedParameters(parameters: Tree<Parameter>): Tree<Parameter> {
  return mapTree(parameters, (p: Parameter) => {
    const [to, from, height, width] = p.shape as readonly [number, number, number, number];
    return isConv(p.shape) ? { ...p, shape: [height, width, from, to] } : p;
  });
}

/** An array from a file, [out, in, 3, 3], as the engine holds it, [3, 3, in, out]; others as they are. */
export function arrange(array: NDArray): NDArray {
  if (!isConv(array.shape)) return array;
  const [to, from, height, width] = array.shape as readonly [number, number, number, number];
  const [taps, data] = [height * width, new Float32Array(array.data.length)];
  for (let o = 0, at = 0; o < to; o++)
    for (let i = 0; i < from; i++)
      for (let tap = 0; tap < taps; tap++) data[(tap * from + i) * to + o] = array.data[at++]!;
  return float32(data, [height, width, from, to]);
}

/** What the engine holds as files have it: the inverse of `arrange`, for a whole tree. */
export function restore(tree: Tree<NDArray>): Tree<NDArray> {
  return mapTree(tree, (array: NDArray) => {
    if (!isConv(array.shape)) return array;
    const [height, width, from, to] = array.shape as readonly [number, number, number, number];
    const [taps, data] = [height * width, new Float32Array(array.data.length)];
    for (let o = 0, at = 0; o < to; o++)
      for (let i = 0; i < from; i++)
        for (let tap = 0; tap < taps; tap++) data[at++] = array.data[(tap * from + i) * to + o]!;
    return float32(data, [to, from, height, width]);
  });
}
