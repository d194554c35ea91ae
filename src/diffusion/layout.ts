/**
 * The order in which the engine holds the weights of 3x3 convolutions while it trains and samples: taps first, [3, 3, in, out], where files and
 * PyTorch have [out, in, 3, 3]. Winograd's transform of taps-first weights is one matrix product, and so is its gradient; in the other
 * order each needs transposes that take longer than the products.
 */

import { float32, type NDArray, sizeOf, type Tree } from '../ndarray.ts';
import type { Parameter } from '../nn/parameters.ts';
import { hiddenParts } from '../nn/winograd.ts';
import { leaves, mapTree, unflatten } from '../tree.ts';

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

/** The axis of arranged weights along which the channels between the two convolutions of an MLP lie. */
function hiddenAxis(path: string): number | undefined {
  const [, layer] = /\.mlp\.(conv[12])\.weight$/.exec(path) ?? [];
  return layer === undefined ? undefined : { conv1: 3, conv2: 2 }[layer];
}

interface Part {
  readonly path: string;
  readonly shape: readonly number[];
  /** Where it begins along the axis. */
  readonly start: number;
}

/** What becomes of arranged weights for sampling: those of a convolutional MLP are held in parts (`conv3x3Twice`), others whole. */
function partsOf(path: string, shape: readonly number[]): readonly Part[] {
  const axis = hiddenAxis(path);
  if (axis === undefined) return [{ path, shape, start: 0 }];
  const [hidden, outer] = [shape[axis]!, shape[5 - axis]!];
  const parts = hiddenParts(outer, hidden);
  const border = (part: number) => Math.round((part * hidden) / parts);
  return Array.from({ length: parts }, (_, part) => ({
    path: `${path}.${part}`,
    shape: shape.with(axis, border(part + 1) - border(part)),
    start: border(part),
  }));
}

/** The shapes of parameters as sampling has them in the engine: arranged, and convolutional MLPs in parts. */
export function samplingParameters<P extends Tree<Parameter>>(parameters: P): P;
export function samplingParameters(parameters: Tree<Parameter>): Tree<Parameter> {
  const parted = leaves<Parameter>(arrangedParameters(parameters)).flatMap(([path, p]) =>
    partsOf(path, p.shape).map((part) => [part.path, { ...p, shape: part.shape }] as const),
  );
  return unflatten<Parameter>(Object.fromEntries(parted));
}

/** An array from a file as sampling has it, by path. */
export function samplingArrays(path: string, array: NDArray): Readonly<Record<string, NDArray>> {
  const arranged = arrange(array);
  const axis = hiddenAxis(path);
  if (axis === undefined) return { [path]: arranged };
  const [outer, inner] = [sizeOf(arranged.shape.slice(0, axis)), sizeOf(arranged.shape.slice(axis + 1))];
  const row = arranged.shape[axis]! * inner;
  const cut = ({ shape, start }: Part) => {
    const width = shape[axis]! * inner;
    const data = new Float32Array(outer * width);
    for (let o = 0; o < outer; o++) {
      const from = o * row + start * inner;
      data.set((arranged.data as Float32Array).subarray(from, from + width), o * width);
    }
    return float32(data, shape);
  };
  return Object.fromEntries(partsOf(path, arranged.shape).map((part) => [part.path, cut(part)]));
}
