/**
 * The order in which the engine holds the weights of 3x3 convolutions: taps first, [3, 3, in, out], where files and PyTorch have
 * [out, in, 3, 3]. Then they are a matrix as they lie, for Winograd's transform (`winograd.ts`) as for a product with patches
 * (`patches.ts`), and so are their gradients; in the other order each needs transposes that take longer than the products.
 */

import { float32, type NDArray, type Tree } from '../base/ndarray.ts';
import { flatten, mapTree } from '../base/tree.ts';
import type { Spec, Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import type { Parameter } from './parameters.ts';

export const KERNEL = 3;
export const TAPS = KERNEL * KERNEL;

/** Whether a weight is that of a 3x3 convolution, as files have it. */
const isConv = ({ shape }: Pick<Spec, 'shape'>): boolean =>
  shape.length === 4 && shape[2] === KERNEL && shape[3] === KERNEL;

/** A weight of a graph, [out, in, 3, 3], taps first. */
export const tapsFirst = (weight: Tensor): Tensor => g.transpose(weight, [2, 3, 1, 0]);

/** The inverse of `tapsFirst`. */
export const tapsLast = (weight: Tensor): Tensor => g.transpose(weight, [3, 2, 0, 1]);

/** The shapes of parameters as the engine holds them. */
export function arrangedParameters<P extends Tree<Parameter>>(parameters: P): P;
export function arrangedParameters(parameters: Tree<Parameter>): Tree<Parameter> {
  return mapTree(parameters, (p: Parameter) =>
    isConv(p) ? { ...p, shape: [KERNEL, KERNEL, p.shape[1]!, p.shape[0]!] } : p,
  );
}

/** An array from a file, [out, in, 3, 3], as the engine holds it, [3, 3, in, out]; others as they are. */
export function arrange(array: NDArray): NDArray {
  if (!isConv(array)) return array;
  const [to, from] = array.shape as readonly [number, number];
  return float32(turned(array.data, [to, from, TAPS]), [KERNEL, KERNEL, from, to]);
}

/** `arrange` for a whole tree. */
export function arranged<T extends Tree<NDArray>>(tree: T): T;
export function arranged(tree: Tree<NDArray>): Tree<NDArray> {
  return mapTree(tree, (array: NDArray) => arrange(array));
}

/** What the engine holds as files have it: the inverse of `arranged`. `parameters` have the shapes that files have. */
export function restored(tree: Tree<NDArray>, parameters: Tree<Parameter>): Tree<NDArray> {
  const shapes = flatten<Parameter>(parameters);
  return mapTree(tree, (array: NDArray, path) => (isConv(shapes[path]!) ? restore(array) : array));
}

/** An array [3, 3, in, out] as files have it. */
export function restore({ shape, data }: NDArray): NDArray<'float32'> {
  const [, , from, to] = shape as readonly [number, number, number, number];
  return float32(turned(data, [TAPS, from, to]), [to, from, KERNEL, KERNEL]);
}

/** Three axes [a, b, c] as [c, b, a]. */
function turned(given: NDArray['data'], [a, b, c]: readonly [number, number, number]): Float32Array {
  const data = new Float32Array(given.length);
  for (let i = 0, at = 0; i < a; i++)
    for (let j = 0; j < b; j++) for (let k = 0; k < c; k++) data[(k * b + j) * a + i] = given[at++]!;
  return data;
}
