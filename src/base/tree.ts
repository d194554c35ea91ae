/**
 * Plain nested objects of leaves: parameters, gradients, optimiser state. A leaf is anything with a `dtype` and a
 * `shape`.
 */

import type { DType, Tree } from './ndarray.ts';

export interface Leaf {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** The type of a tree with each of its leaves replaced by an `M`. */
export type Mapped<T, M> = T extends Leaf ? M : { readonly [K in keyof T]: Mapped<T[K], M> };

function isLeaf<L extends Leaf>(tree: Tree<L>): tree is L {
  return 'dtype' in tree && typeof tree.dtype === 'string';
}

/** The leaves of a tree's type. */
export type LeafOf<T> = T extends Leaf ? T : { [K in keyof T]: LeafOf<T[K]> }[keyof T];

/** Apply a function to each leaf, with its dotted path; the structure stays. */
export function mapTree<L extends Leaf, M>(tree: Tree<L>, fn: (leaf: L, path: string) => M): Tree<M> {
  const walk = (node: Tree<L>, path: string): Tree<M> => {
    if (isLeaf(node)) return fn(node, path);
    const child = (key: string) => (path ? `${path}.${checked(key)}` : checked(key));
    return Object.fromEntries(Object.entries(node).map(([key, below]) => [key, walk(below, child(key))]));
  };
  return walk(tree, '');
}

/** The leaves under their dotted paths (`blocks.0.attn.key.weight`), in the order of insertion. */
export function flatten<L extends Leaf>(tree: Tree<L>): Record<string, L> {
  const leaves: Record<string, L> = {};
  mapTree(tree, (leaf, path) => {
    leaves[path] = leaf;
  });
  return leaves;
}

/** `flatten` as pairs. */
export const leaves = <L extends Leaf>(tree: Tree<L>): [path: string, leaf: L][] => Object.entries(flatten(tree));

/** The inverse of `flatten`. */
export function unflatten<L extends Leaf>(leaves: Readonly<Record<string, L>>): Tree<L> {
  if ('' in leaves) return leaves['']!;
  const root: { [key: string]: Tree<L> } = {};
  for (const [path, leaf] of Object.entries(leaves)) {
    const keys = path.split('.');
    const last = keys.pop()!;
    let at = root;
    for (const key of keys) {
      if (!Object.hasOwn(at, key)) at[key] = {};
      at = at[key] as { [key: string]: Tree<L> };
    }
    at[last] = leaf;
  }
  return root;
}

function checked(key: string): string {
  if (key.includes('.') || key === '') throw new Error(`A tree's key may not be empty or hold a dot: "${key}"`);
  return key;
}
