/**
 * Trees of parameters, as flat records with dotted names ("blocks.0.attn.key.weight") and back, and loops over them.
 * Leaves are host arrays unless another leaf test is given (graph tensors, for one). Order is insertion order, except
 * that JavaScript itself lists whole-number keys first, in ascending order.
 */
import { UserError } from '../errors.ts';
import type { NDArray, Tree } from '../ndarray.ts';

/** Tells the leaves of a tree from its inner objects. */
export type IsLeaf<T> = (node: unknown) => node is T;

/** Whether a node is a host array: its `data` is a typed array, which no inner object has. */
export function isNDArray(node: unknown): node is NDArray {
  return typeof node === 'object' && node !== null && 'data' in node && ArrayBuffer.isView(node.data);
}

/**
 * The leaves of `tree` by dotted name. A tree that is itself a leaf has the name ''; objects without leaves vanish.
 *
 * @throws UserError on a key that is empty or contains a dot.
 */
export function flatten(tree: Tree<NDArray>): Record<string, NDArray>;
export function flatten<T>(tree: Tree<NoInfer<T>>, isLeaf: IsLeaf<T>): Record<string, T>;
export function flatten<T>(tree: Tree<T>, isLeaf: (node: unknown) => boolean = isNDArray): Record<string, T> {
  return Object.fromEntries(leavesOf(tree, isLeaf as IsLeaf<T>, ''));
}

/**
 * The inverse of `flatten`.
 *
 * @throws UserError when a name has an empty part ("a..b") or is both a leaf and the beginning of another name.
 */
export function unflatten<T>(flat: Readonly<Record<string, T>>): Tree<T> {
  const names = Object.keys(flat);
  if (names.length === 1 && names[0] === '') return flat['']!;
  return grow(Object.entries(flat).map(([name, leaf]) => ({ path: name.split('.'), depth: 0, leaf })));
}

/** A tree of the same structure with `f(leaf, name)` in the place of each leaf. */
export function mapTree<U>(tree: Tree<NDArray>, f: (leaf: NDArray, name: string) => U): Tree<U>;
export function mapTree<T, U>(tree: Tree<NoInfer<T>>, f: (leaf: T, name: string) => U, isLeaf: IsLeaf<T>): Tree<U>;
