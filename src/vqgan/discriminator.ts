/**
 * The PatchGAN discriminator (Isola et al., 1611.07004): a small convolutional network that classifies each patch of a
 * picture.
 */

import { float32, type NDArray } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { batchNorm, type RunningStatistics, runningStatistics } from '../nn/batch-norm.ts';
import type { Norm } from '../nn/layers.ts';
import { adopt, constant, normal, type Parameter, uniform } from '../nn/parameters.ts';

/** The sizes of a discriminator, as a recipe names them. */
export interface DiscriminatorShape {
  /** Convolutions of stride 2 in front. */
  readonly discriminatorLayers: number;
  /** Channels behind the first of them; they double up to eight times as many. */
  readonly discriminatorChannels: number;
}

/** A member of the sequence: a convolution, the inner ones without bias, or a batch normalisation. */
type Member<T> = { readonly weight: T; readonly bias?: T };

/** Parameters under the reference's names: `main` counts every layer of the sequence, also those without parameters. */
export type Discriminator<T> = { readonly main: { readonly [index: string]: Member<T> } };
/** Running statistics of its batch normalisations, under the same names. */
export type DiscriminatorBuffers<T> = { readonly main: { readonly [index: string]: RunningStatistics<T> } };

/** Slope of the leaky ReLU below zero. */
export const LEAKY_SLOPE = 0.2;

const KERNEL = 4;
const MAX_GROWTH = 8;

/** Positions in the sequence of inner convolution `n`, counted from 1, and of the normalisation behind it. */
const convAt = (n: number): number => 3 * n - 1;
const normAt = (n: number): number => 3 * n;

/** Channels behind convolution `n`, counted from 0. */
const widthAfter = ({ discriminatorChannels }: DiscriminatorShape, n: number): number =>
  discriminatorChannels * Math.min(2 ** n, MAX_GROWTH);

/** Weights from N(0, 0.02²), scales of the normalisations from N(1, 0.02²). */
export function discriminatorParameters(shape: DiscriminatorShape): Discriminator<Parameter> {
  const layers = shape.discriminatorLayers;
  const kernel = (from: number, to: number) => normal([to, from, KERNEL, KERNEL], 0.02);
  const bias = (from: number, to: number) => uniform([to], 1 / Math.sqrt(from * KERNEL * KERNEL));
  const [first, last] = [widthAfter(shape, 0), widthAfter(shape, layers)];
  const main: Record<string, Member<Parameter>> = { 0: { weight: kernel(3, first), bias: bias(3, first) } };
  for (let n = 1; n <= layers; n++) {
    const [from, to] = [widthAfter(shape, n - 1), widthAfter(shape, n)];
    main[convAt(n)] = { weight: kernel(from, to) };
    main[normAt(n)] = { weight: normal([to], 0.02, 1), bias: constant([to], 0) };
  }
  main[convAt(layers + 1)] = { weight: kernel(last, 1), bias: bias(last, 1) };
  return { main };
}

/** The running statistics of its batch normalisations, as they start. */
export function discriminatorBuffers(shape: DiscriminatorShape): DiscriminatorBuffers<Parameter> {
  const numbers = Array.from({ length: shape.discriminatorLayers }, (_, i) => i + 1);
  return { main: Object.fromEntries(numbers.map((n) => [normAt(n), runningStatistics(widthAfter(shape, n))])) };
}

/** Weights and running statistics. */
export interface TrainedDiscriminator {
  readonly params: Discriminator<NDArray<'float32'>>;
  readonly buffers: DiscriminatorBuffers<NDArray<'float32'>>;
}

/**
 * A discriminator out of named arrays, which may count batches in integers as the reference does.
 * @throws UserError naming `label` and the array that is missing, unexpected, or of another shape.
 */
export function discriminatorFrom(
  arrays: Readonly<Record<string, NDArray>>,
  shape: DiscriminatorShape,
  label: string,
): TrainedDiscriminator {
  const statistics = flatten(discriminatorBuffers(shape));
  const all = Object.entries(arrays).map(([name, array]): [string, NDArray] => [
    name,
    array.dtype === 'int32' ? float32(Float32Array.from(array.data), array.shape) : array,
  ]);
  const part = (isStatistic: boolean) => Object.fromEntries(all.filter(([name]) => name in statistics === isStatistic));
  return {
    params: adopt(discriminatorParameters(shape), part(false), label),
    buffers: adopt(discriminatorBuffers(shape), part(true), label),
  };
}

/**
 * In training: pictures [batch, 3, size, size] to logits [batch, 1, patches, patches], larger for what looks real, and
 * the running statistics after this batch. patches = size / 2^layers − 2. Over several `ranks` each has its share of
 * the batch, and statistics are those of the whole.
 */
export function discriminate(
  { main }: Discriminator<Tensor>,
  buffers: DiscriminatorBuffers<Tensor>,
  x: Tensor,
  ranks = 1,
): { readonly logits: Tensor; readonly buffers: DiscriminatorBuffers<Tensor> } {
  const layers = Object.keys(buffers.main).length;
  const after: Record<string, RunningStatistics<Tensor>> = {};
  let h = leakyRelu(convolve(main[0]!, x, 2));
  for (let n = 1; n <= layers; n++) {
    const index = `${normAt(n)}`;
    h = convolve(main[convAt(n)]!, h, n < layers ? 2 : 1);
    const { y, running } = batchNorm(main[index] as Norm<Tensor>, buffers.main[index]!, h, ranks);
    after[index] = running;
    h = leakyRelu(y);
  }
  return { logits: convolve(main[convAt(layers + 1)]!, h, 1), buffers: { main: after } };
}

function convolve({ weight, bias }: Member<Tensor>, x: Tensor, stride: number): Tensor {
  const y = g.conv2d(x, weight, { stride, pads: 1 });
  return bias ? g.add(y, g.reshape(bias, [1, -1, 1, 1])) : y;
}

const leakyRelu = (x: Tensor): Tensor => g.maximum(x, g.mul(x, LEAKY_SLOPE));
