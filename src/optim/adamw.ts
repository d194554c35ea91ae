/** AdamW (Loshchilov & Hutter, 1711.05101) and gradient clipping, written as graph: they run where the model runs. */

import { type NDArray, scalar, type Tree, zeros } from '../base/ndarray.ts';
import { flatten, mapTree } from '../base/tree.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';

/** The constants of AdamW. */
export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** Decoupled: parameters shrink by lr · weightDecay a step, apart from the gradient. */
  readonly weightDecay: number;
}

/** The count of steps, and the moments of each parameter. */
export interface AdamState<T> {
  readonly step: T;
  readonly mean: Tree<T>;
  readonly square: Tree<T>;
}

/** Parameters with the state of their optimiser, as a program's inputs. */
export const optimized = <P>(params: P) => ({ params, adam: { step: g.f32(), mean: params, square: params } });

/** Zero moments for parameters. Both are the same arrays: an engine copies what it loads. */
export function adamState(params: Tree<NDArray>): AdamState<NDArray> & { readonly [key: string]: Tree<NDArray> } {
  const blank = mapTree(params, ({ shape }: NDArray) => zeros(shape));
  return { step: scalar(0), mean: blank, square: blank };
}

/**
 * One step: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², p ← p(1 − lr·wd) − lr·m̂/(√v̂ + eps), with bias-corrected m̂, v̂.
 * `lr` is a scalar tensor, so that schedules need no new graph.
 */
export function adamw<P extends Tree<Tensor>>(
  params: P,
  gradients: Tree<Tensor>,
  state: AdamState<Tensor>,
  lr: Tensor,
  { beta1, beta2, eps, weightDecay }: AdamWOptions,
): { readonly params: P; readonly state: { readonly [key: string]: Tree<Tensor> } };
export function adamw(
  params: Tree<Tensor>,
  gradients: Tree<Tensor>,
  state: AdamState<Tensor>,
  lr: Tensor,
  options: AdamWOptions,
) {
  const { beta1, beta2, eps, weightDecay } = options;
  const [grads, means, squares] = [flatten(gradients), flatten(state.mean), flatten(state.square)];
  const step = g.add(state.step, 1);
  const correction = (beta: number) => g.sub(1, g.exp(g.mul(step, Math.log(beta))));
  const rate = g.div(lr, correction(beta1));
  const scale = g.sqrt(correction(beta2));
  const keep = g.sub(1, g.mul(lr, weightDecay));

  const mean = mapTree(params, (_, path) => g.add(g.mul(means[path]!, beta1), g.mul(grads[path]!, 1 - beta1)));
  const square = mapTree(params, (_, path) =>
    g.add(g.mul(squares[path]!, beta2), g.mul(g.square(grads[path]!), 1 - beta2)),
  );
  const [newMeans, newSquares] = [flatten(mean), flatten(square)];
  const next = mapTree(params, (p: Tensor, path) => {
    const denominator = g.add(g.div(g.sqrt(newSquares[path]!), scale), eps);
    const kept = weightDecay === 0 ? p : g.mul(p, keep);
    return g.sub(kept, g.div(g.mul(newMeans[path]!, rate), denominator));
  });
  return { params: next, state: { step, mean, square } };
}

/**
 * ‖g‖ over all gradients together. They are added up in the order in which the backward pass makes them: so each can
 * be squared and summed as soon as it is there, and what the first ones are made from does not wait for the last.
 */
export function globalNorm(gradients: Tree<Tensor>): Tensor {
  const inOrder = Object.values(flatten(gradients)).sort((a, b) => a.id - b.id);
  const squares = inOrder.map((t) => sumOfAll(g.square(t)));
  return g.sqrt(squares.reduce((a, b) => g.add(a, b)));
}

/**
 * All elements together, rows first: a GPU sums many rows side by side, but one row of millions with a single core
 * (docs/gpu.md).
 */
const sumOfAll = (t: Tensor): Tensor => g.sum(t.rank > 1 ? g.sum(t, -1) : t);

/** Scale all gradients by min(1, maxNorm/(‖g‖ + 1e-6)); `norm` is ‖g‖ before, and may be given where it is known. */
export function clipByGlobalNorm<G extends Tree<Tensor>>(
  gradients: G,
  maxNorm: number,
  norm?: Tensor,
): { readonly gradients: G; readonly norm: Tensor };
export function clipByGlobalNorm(
  gradients: Tree<Tensor>,
  maxNorm: number,
  norm = globalNorm(gradients),
): { gradients: Tree<Tensor>; norm: Tensor } {
  const coefficient = g.minimum(g.div(maxNorm, g.add(norm, 1e-6)), 1);
  return { gradients: mapTree(gradients, (t) => g.mul(t, coefficient)), norm };
}
