/** Parameters before they have values: a tree of shapes, each with the rule that draws its first value. */

import { UserError } from '../base/errors.ts';
import { float32, type NDArray, sizeOf, type Tree, zeros } from '../base/ndarray.ts';
import { flatten, type Mapped, mapTree } from '../base/tree.ts';
import type { Spec, Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { normals, uniforms } from '../random/noise.ts';

/** How a parameter starts. */
export type Initializer =
  | { readonly kind: 'normal'; readonly std: number; readonly mean: number }
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'constant'; readonly value: number };

/** One parameter: its shape and how it starts. */
export interface Parameter extends Spec {
  readonly dtype: 'float32';
  readonly init: Initializer;
}

/** A parameter that starts with draws from N(mean, std²). */
export const normal = (shape: readonly number[], std: number, mean = 0): Parameter => ({
  dtype: 'float32',
  shape,
  init: { kind: 'normal', std, mean },
});
/** A parameter that starts with draws from (-bound, bound). */
export const uniform = (shape: readonly number[], bound: number): Parameter => ({
  dtype: 'float32',
  shape,
  init: { kind: 'uniform', bound },
});
/** A parameter that starts with one value everywhere. */
export const constant = (shape: readonly number[], value: number): Parameter => ({
  dtype: 'float32',
  shape,
  init: { kind: 'constant', value },
});

/** Draw every parameter: a pure function of the seed and the parameter's path. */
export function initialize<P extends Tree<Parameter>>(parameters: P, seed: number): Mapped<P, NDArray<'float32'>>;
export function initialize(parameters: Tree<Parameter>, seed: number): Tree<NDArray<'float32'>> {
  return mapTree(parameters, ({ shape, init }: Parameter, path) =>
    float32(draw(init, sizeOf(shape), seed, path), shape),
  );
}

/**
 * `initialize`, one parameter at a time, by dotted path: a model that fills half the memory need not be there twice.
 */
export function* initializeEach(parameters: Tree<Parameter>, seed: number): Generator<[string, NDArray<'float32'>]> {
  for (const [path, { shape, init }] of Object.entries(flatten(parameters)))
    yield [path, float32(draw(init, sizeOf(shape), seed, path), shape)];
}

function draw(init: Initializer, count: number, seed: number, path: string): Float32Array {
  const key = { seed, stream: `init/${path}`, step: 0 };
  const values = new Float32Array(count);
  if (init.kind === 'constant') return values.fill(init.value);
  const noise = init.kind === 'normal' ? normals(key, 0, count) : uniforms(key, 0, count);
  if (init.kind === 'normal') for (let i = 0; i < count; i++) values[i] = init.mean + noise[i]! * init.std;
  else for (let i = 0; i < count; i++) values[i] = (2 * noise[i]! - 1) * init.bound;
  return values;
}

/** Values as literals inside a graph, which the runtime may lay out for speed; they are not part of the state. */
export function literals<P extends Tree<NDArray>>(arrays: P): Mapped<P, Tensor>;
export function literals(arrays: Tree<NDArray>): Tree<Tensor> {
  return mapTree(arrays, (array: NDArray) => g.constant(array));
}

/** The number of values in all parameters together. */
export function countParameters(parameters: Tree<Spec>): number {
  return Object.values(flatten(parameters)).reduce((n, { shape }) => n + sizeOf(shape), 0);
}

/**
 * Take the parameters a model needs out of what a file holds.
 * @throws UserError naming the file and the first parameter that is missing, unexpected, or of another shape.
 */
export function adopt<P extends Tree<Parameter>>(
  parameters: P,
  arrays: Readonly<Record<string, NDArray>>,
  label: string,
): Mapped<P, NDArray<'float32'>>;
export function adopt(
  parameters: Tree<Parameter>,
  arrays: Readonly<Record<string, NDArray>>,
  label: string,
): Tree<NDArray<'float32'>> {
  const wanted = flatten(parameters);
  const foreign = Object.keys(arrays).find((name) => !(name in wanted));
  if (foreign !== undefined)
    throw new UserError(
      `${label} holds ${foreign}, which this model does not have: it belongs to another model or version`,
    );
  return mapTree(parameters, ({ shape }: Parameter, path) => {
    const array = arrays[path];
    if (!array) throw new UserError(`${label} lacks the parameter ${path}: it belongs to another model or version`);
    if (array.dtype !== 'float32' || array.shape.join() !== shape.join())
      throw new UserError(
        `${label}: ${path} is ${array.dtype} [${array.shape}] where the model needs float32 [${shape}]`,
      );
    return array;
  });
}

/** Zeros of the shapes of parameters: where only shapes matter, or something is to be added up from nothing. */
export function blank<P extends Tree<Parameter>>(parameters: P): Mapped<P, NDArray<'float32'>>;
export function blank(parameters: Tree<Parameter>): Tree<NDArray<'float32'>> {
  return mapTree(parameters, ({ shape }: Parameter) => zeros(shape));
}
