/**
 * How the engine holds weights for sampling: 3x3 convolutions in the kernel layout (`nn/kernel-layout.ts`), those of
 * convolutional MLPs in parts.
 */

import { copyOf, float32, type NDArray, sharesBuffer, sizeOf, type Tree } from '../base/ndarray.ts';
import { leaves, unflatten } from '../base/tree.ts';
import { engineParameters, toEngineLayout } from '../nn/kernel-layout.ts';
import type { Parameter } from '../nn/parameters.ts';
import { hiddenParts } from '../nn/winograd.ts';

/** The axis of weights in the kernel layout along which the channels between the two convolutions of an MLP lie. */
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

/**
 * What becomes of weights in the kernel layout for sampling: those of a convolutional MLP are held in parts
 * (`conv3x3Twice`), others whole.
 */
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

/**
 * The shapes of parameters as sampling has them in the engine: in the kernel layout, and convolutional MLPs in parts.
 */
export function samplingParameters<P extends Tree<Parameter>>(parameters: P): P;
export function samplingParameters(parameters: Tree<Parameter>): Tree<Parameter> {
  const parted = leaves<Parameter>(engineParameters(parameters)).flatMap(([path, p]) =>
    partsOf(path, p.shape).map((part) => [part.path, { ...p, shape: part.shape }] as const),
  );
  return unflatten<Parameter>(Object.fromEntries(parted));
}

/**
 * An array from a file as sampling has it, by path: in memory of its own, unless the array itself may be handed over.
 */
export function samplingArrays(path: string, array: NDArray, handOver = false): Readonly<Record<string, NDArray>> {
  const whole = toEngineLayout(array);
  const axis = hiddenAxis(path);
  if (axis === undefined)
    return { [path]: whole === array && !(handOver && !sharesBuffer(array)) ? copyOf(array) : whole };
  const [outer, inner] = [sizeOf(whole.shape.slice(0, axis)), sizeOf(whole.shape.slice(axis + 1))];
  const row = whole.shape[axis]! * inner;
  const cut = ({ shape, start }: Part) => {
    const width = shape[axis]! * inner;
    const data = new Float32Array(outer * width);
    for (let o = 0; o < outer; o++) {
      const from = o * row + start * inner;
      data.set((whole.data as Float32Array).subarray(from, from + width), o * width);
    }
    return float32(data, shape);
  };
  return Object.fromEntries(partsOf(path, whole.shape).map((part) => [part.path, cut(part)]));
}
