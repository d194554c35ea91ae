/**
 * Two layouts of the weights of 3x3 convolutions: [out, in, 3, 3], which files and PyTorch have, and the kernel layout
 * of the engine, taps first: [3, 3, in, out]. In the kernel layout they are a matrix as they lie, for Winograd's
 * transform (`winograd.ts`) as for a product with patches (`patches.ts`), and so are their gradients; in the other
 * layout each needs transposes that take longer than the products.
 */

import { float32, type NDArray, type Tree } from '../base/ndarray.ts';
import { flatten, mapTree } from '../base/tree.ts';
import type { Spec, Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import type { Parameter } from './parameters.ts';

/** The side of the kernels that have two layouts. */
export const KERNEL = 3;
/** Weights of such a kernel for one input and one output channel. */
export const TAPS = KERNEL * KERNEL;

/** Whether a weight of a file is that of a 3x3 convolution. */
const isConv = ({ shape }: Pick<Spec, 'shape'>): boolean =>
  shape.length === 4 && shape[2] === KERNEL && shape[3] === KERNEL;

/** A weight of a graph, [out, in, 3, 3], in the kernel layout. */
export const kernelLayout = (weight: Tensor): Tensor => g.transpose(weight, [2, 3, 1, 0]);

/** The inverse of `kernelLayout`. */
export const fileLayout = (weight: Tensor): Tensor => g.transpose(weight, [3, 2, 0, 1]);

/**
 * Parameters with the shapes that they have in the engine: 3x3 convolutions in the kernel layout, others as they are.
 */
export function engineParameters<P extends Tree<Parameter>>(parameters: P): P;
export function engineParameters(parameters: Tree<Parameter>): Tree<Parameter> {
  return mapTree(parameters, (p: Parameter) =>
    isConv(p) ? { ...p, shape: [KERNEL, KERNEL, p.shape[1]!, p.shape[0]!] } : p,
  );
}

/**
 * Arrays from files as the engine has them: 3x3 convolutions [out, in, 3, 3] in the kernel layout, others themselves.
 */
export function toEngineLayout<T extends Tree<NDArray>>(arrays: T): T;
export function toEngineLayout(arrays: Tree<NDArray>): Tree<NDArray> {
  return mapTree(arrays, (array: NDArray) => {
    if (!isConv(array)) return array;
    const [to, from] = array.shape as readonly [number, number];
    return float32(reversed(array.data, [to, from, TAPS]), [KERNEL, KERNEL, from, to]);
  });
}

/** The inverse of `toEngineLayout`. `parameters` have the shapes that files have. */
export function fromEngineLayout(arrays: Tree<NDArray>, parameters: Tree<Parameter>): Tree<NDArray> {
  const parameterAt = flatten<Parameter>(parameters);
  return mapTree(arrays, (array: NDArray, path) => (isConv(parameterAt[path]!) ? fromKernelLayout(array) : array));
}

/** An array in the kernel layout, [3, 3, in, out], as files have it. */
export function fromKernelLayout({ shape, data }: NDArray): NDArray<'float32'> {
  const [, , from, to] = shape as readonly [number, number, number, number];
  return float32(reversed(data, [TAPS, from, to]), [to, from, KERNEL, KERNEL]);
}

/** Three axes [a, b, c] as [c, b, a]. */
function reversed(given: NDArray['data'], [a, b, c]: readonly [number, number, number]): Float32Array {
  const data = new Float32Array(given.length);
  for (let i = 0, at = 0; i < a; i++)
    for (let j = 0; j < b; j++) for (let k = 0; k < c; k++) data[(k * b + j) * a + i] = given[at++]!;
  return data;
}
