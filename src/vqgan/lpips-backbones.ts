/**
 * The networks whose features LPIPS compares, as tables: VGG16, AlexNet and SqueezeNet 1.1, numbered as torchvision
 * numbers them.
 */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { kernelLayout } from '../nn/kernel-layout.ts';
import { type Conv, conv } from '../nn/layers.ts';
import { constant, type Parameter } from '../nn/parameters.ts';
import { maxPool, type Pooling } from '../nn/pooling.ts';
import { channelsFirst, channelsLast, conv3x3 } from './blocks.ts';

/** The networks that LPIPS was published with. */
export type PerceptualNet = 'vgg' | 'alex' | 'squeeze';

interface ConvLayer {
  readonly kind: 'conv';
  readonly index: number;
  readonly from: number;
  readonly to: number;
  readonly kernel: number;
  readonly stride: number;
  readonly pads: number;
}

/** Fire (Iandola et al., 1602.07360): a 1x1 convolution to few channels, then 1x1 and 3x3 side by side. */
interface FireLayer {
  readonly kind: 'fire';
  readonly index: number;
  readonly from: number;
  readonly squeezed: number;
  /** Channels of each side. */
  readonly expanded: number;
}

type Layer = ConvLayer | FireLayer | (Pooling & { readonly kind: 'pool' });

/** A ReLU follows every convolution. Features are taken behind each part. */
type Backbone = readonly (readonly Layer[])[];

const convLayer = (index: number, from: number, to: number, kernel = 3, stride = 1, pads = 1): Layer => ({
  kind: 'conv',
  index,
  from,
  to,
  kernel,
  stride,
  pads,
});
const fire = (index: number, from: number, squeezed: number, expanded: number): Layer => ({
  kind: 'fire',
  index,
  from,
  squeezed,
  expanded,
});
const pool = (size: number, ceil = false): Layer => ({ kind: 'pool', size, stride: 2, ceil });

const BACKBONES: Readonly<Record<PerceptualNet, Backbone>> = {
  vgg: [
    [convLayer(0, 3, 64), convLayer(2, 64, 64)],
    [pool(2), convLayer(5, 64, 128), convLayer(7, 128, 128)],
    [pool(2), convLayer(10, 128, 256), convLayer(12, 256, 256), convLayer(14, 256, 256)],
    [pool(2), convLayer(17, 256, 512), convLayer(19, 512, 512), convLayer(21, 512, 512)],
    [pool(2), convLayer(24, 512, 512), convLayer(26, 512, 512), convLayer(28, 512, 512)],
  ],
  alex: [
    [convLayer(0, 3, 64, 11, 4, 2)],
    [pool(3), convLayer(3, 64, 192, 5, 1, 2)],
    [pool(3), convLayer(6, 192, 384)],
    [convLayer(8, 384, 256)],
    [convLayer(10, 256, 256)],
  ],
  squeeze: [
    [convLayer(0, 3, 64, 3, 2, 0)],
    [pool(3, true), fire(3, 64, 16, 64), fire(4, 128, 16, 64)],
    [pool(3, true), fire(6, 128, 32, 128), fire(7, 256, 32, 128)],
    [pool(3, true), fire(9, 256, 48, 192)],
    [fire(10, 384, 48, 192)],
    [fire(11, 384, 64, 256)],
    [fire(12, 512, 64, 256)],
  ],
};

type Fire<T> = { readonly squeeze: Conv<T>; readonly expand1x1: Conv<T>; readonly expand3x3: Conv<T> };
/** Parameters of the convolutions, by their places in the sequence. */
export type Features<T> = { readonly [index: string]: Conv<T> | Fire<T> };

const convShapes = (from: number, to: number, kernel: number): Conv<Parameter> => ({
  weight: constant([to, from, kernel, kernel], 0),
  bias: constant([to], 0),
});

const shapesOf = (layer: ConvLayer | FireLayer): Conv<Parameter> | Fire<Parameter> =>
  layer.kind === 'conv'
    ? convShapes(layer.from, layer.to, layer.kernel)
    : {
        squeeze: convShapes(layer.from, layer.squeezed, 1),
        expand1x1: convShapes(layer.squeezed, layer.expanded, 1),
        expand3x3: convShapes(layer.squeezed, layer.expanded, 3),
      };

/** The parameters under torchvision's names below `features`; their values come from a file. */
export function backboneParameters(net: PerceptualNet): Features<Parameter> {
  const layers = BACKBONES[net].flat().filter((layer) => layer.kind !== 'pool');
  return Object.fromEntries(layers.map((layer) => [layer.index, shapesOf(layer)]));
}

/** Channels of each of the features. */
export function featureChannels(net: PerceptualNet): number[] {
  return BACKBONES[net].map((part) => {
    const last = part.at(-1)!;
    if (last.kind === 'conv') return last.to;
    return last.kind === 'fire' ? 2 * last.expanded : 0;
  });
}

/** Computes zero-padded 3x3 convolutions of stride 1. */
export type Convolution = (p: Conv<Tensor>, x: Tensor) => Tensor;

/**
 * Features of scaled pictures [batch, 3, size, size], finest first: each [batch, channels, height, width].
 * @param convolve by default the fastest way, whose rounding is somewhat larger than that of the definition.
 */
export function backboneFeatures(
  net: PerceptualNet,
  p: Features<Tensor>,
  x: Tensor,
  convolve: Convolution = fastest,
): Tensor[] {
  let h = x;
  return BACKBONES[net].map((part) => {
    for (const layer of part) h = apply(layer, p, h, convolve);
    return h;
  });
}

function apply(layer: Layer, p: Features<Tensor>, x: Tensor, convolve: Convolution): Tensor {
  if (layer.kind === 'pool') return maxPool(x, layer);
  if (layer.kind === 'conv') {
    const { kernel, stride, pads } = layer;
    const weights = p[layer.index] as Conv<Tensor>;
    return relu(kernel === 3 && stride === 1 ? convolve(weights, x) : conv(weights, x, { stride, pads }));
  }
  const { squeeze, expand1x1, expand3x3 } = p[layer.index] as Fire<Tensor>;
  const squeezed = relu(conv(squeeze, x));
  return relu(g.concat([conv(expand1x1, squeezed), convolve(expand3x3, squeezed)], 1));
}

const fastest: Convolution = ({ weight, bias }, x) =>
  channelsFirst(conv3x3({ weight: kernelLayout(weight), bias }, channelsLast(x)));

const relu = (x: Tensor): Tensor => g.maximum(x, 0);
