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
 * @throws UserError on a name with an empty part ("a..b") or that is both a leaf and the beginning of another name.
 */
export function unflatten<T>(flat: Readonly<Record<string, T>>): Tree<T> {
  return grow(Object.entries(flat).map(([name, leaf]) => ({ name, path: name === '' ? [] : name.split('.'), leaf })));
}

/**
 * A tree of the same structure with `f(leaf, dottedName)` in the place of each leaf.
 *
 * @throws UserError on a key that is empty or contains a dot.
 */
export function mapTree<U>(tree: Tree<NDArray>, f: (leaf: NDArray, name: string) => U): Tree<U>;
export function mapTree<T, U>(tree: Tree<NoInfer<T>>, f: (leaf: T, name: string) => U, isLeaf: IsLeaf<T>): Tree<U>;
export function mapTree<T, U>(
  tree: Tree<T>,
  f: (leaf: T, name: string) => U,
  isLeaf: (node: unknown) => boolean = isNDArray,
): Tree<U> {
  return mapNode(tree, f, isLeaf as IsLeaf<T>, '');
}

/**
 * A tree of the structure that `a` and `b` share, in the order of `a`, with `f(leafOfA, leafOfB, dottedName)` as leaves.
 *
 * @throws UserError that names the first place where the structures differ.
 */
export function zipTrees<U>(
  a: Tree<NDArray>,
  b: Tree<NDArray>,
  f: (a: NDArray, b: NDArray, name: string) => U,
): Tree<U>;
export function zipTrees<T, U>(
  a: Tree<NoInfer<T>>,
  b: Tree<NoInfer<T>>,
  f: (a: T, b: T, name: string) => U,
  isLeaf: IsLeaf<T>,
): Tree<U>;
export function zipTrees<T, U>(
  a: Tree<T>,
  b: Tree<T>,
  f: (a: T, b: T, name: string) => U,
  isLeaf: (node: unknown) => boolean = isNDArray,
): Tree<U> {
  return zipNodes(a, b, f, isLeaf as IsLeaf<T>, '');
}

function* leavesOf<T>(node: Tree<T>, isLeaf: IsLeaf<T>, name: string): Generator<[string, T]> {
  if (isLeaf(node)) yield [name, node];
  else for (const [key, child] of Object.entries(node)) yield* leavesOf(child, isLeaf, join(name, key));
}

function mapNode<T, U>(node: Tree<T>, f: (leaf: T, name: string) => U, isLeaf: IsLeaf<T>, name: string): Tree<U> {
  if (isLeaf(node)) return f(node, name);
  const children = Object.entries(node).map(([key, child]) => [key, mapNode(child, f, isLeaf, join(name, key))]);
  return Object.fromEntries(children);
}

function zipNodes<T, U>(
  a: Tree<T>,
  b: Tree<T>,
  f: (a: T, b: T, name: string) => U,
  isLeaf: IsLeaf<T>,
  name: string,
): Tree<U> {
  if (isLeaf(a)) {
    if (!isLeaf(b)) throw new UserError(`the trees differ: "${name}" is a leaf in the first, a branch in the second`);
    return f(a, b, name);
  }
  if (isLeaf(b)) throw new UserError(`the trees differ: "${name}" is a branch in the first, a leaf in the second`);
  const extra = Object.keys(b).find((key) => !Object.hasOwn(a, key));
  if (extra !== undefined) throw new UserError(`the trees differ: only the second has "${join(name, extra)}"`);
  const children = Object.entries(a).map(([key, child]) => {
    const path = join(name, key);
    if (!Object.hasOwn(b, key)) throw new UserError(`the trees differ: only the first has "${path}"`);
    return [key, zipNodes(child, b[key]!, f, isLeaf, path)];
  });
  return Object.fromEntries(children);
}

/** A leaf on its way down: `path` holds the keys that are still ahead of it. */
interface Placed<T> {
  readonly name: string;
  readonly path: readonly string[];
  readonly leaf: T;
}

function grow<T>(leaves: readonly Placed<T>[]): Tree<T> {
  const arrived = leaves.find(({ path }) => path.length === 0);
  if (arrived !== undefined) {
    if (leaves.length > 1)
      throw new UserError(`"${arrived.name}" is a leaf, yet other names begin with it; rename one`);
    return arrived.leaf;
  }
  const branches = new Map<string, Placed<T>[]>();
  for (const { name, path, leaf } of leaves) {
    const [key = '', ...rest] = path;
    if (key === '') throw new UserError(`the name "${name}" has an empty part between its dots; rename it`);
    const branch = branches.get(key) ?? [];
    branch.push({ name, path: rest, leaf });
    branches.set(key, branch);
  }
  // Unlike assignment, fromEntries treats the key "__proto__" as any other.
  return Object.fromEntries(Array.from(branches, ([key, branch]) => [key, grow(branch)]));
}

function join(name: string, key: string): string {
  if (key === '' || key.includes('.')) {
    throw new UserError(
      `the key "${key}" under "${name}" is empty or contains a dot, which separates names; rename it`,
    );
  }
  return name === '' ? key : `${name}.${key}`;
}
