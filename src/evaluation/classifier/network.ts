/**
 * The classifier's network: a small convolutional trunk and a softmax head for each attribute. It knows nothing of CLIP
 * or of the generator.
 */

import type { Tensor } from '../../graph/index.ts';
import * as g from '../../graph/index.ts';
import {
  type Conv,
  conv,
  convParameters,
  groupNorm,
  type Linear,
  linear,
  linearParameters,
  type Norm,
  normParameters,
} from '../../nn/layers.ts';
import type { Parameter } from '../../nn/parameters.ts';

/** One thing to tell about a picture, and the answers there are. */
export interface Head {
  /** Free of dots. */
  readonly name: string;
  readonly classes: readonly string[];
}

export interface ClassifierConfig {
  /** Side of the pictures in pixels. */
  readonly size: number;
  /** Channels of the first layer; each halving of the side doubles them, up to four times as many. */
  readonly channels: number;
  /** Width of the layer below the heads: the features. */
  readonly features: number;
  readonly heads: readonly Head[];
}

type Layer<T> = { readonly conv: Conv<T>; readonly norm: Norm<T> };
export type ClassifierParameters<T> = {
  readonly trunk: { readonly [layer: string]: Layer<T> };
  readonly features: Linear<T>;
  readonly heads: { readonly [name: string]: Linear<T> };
};

/** The side at which the trunk ends. */
const LAST_SIDE = 8;
const GROUPS = 8;

interface LayerShape {
  readonly from: number;
  readonly to: number;
  readonly stride: 1 | 2;
}

/** A convolution at full size, then for each halving one of stride 2 and one of stride 1. */
function layersOf({ size, channels }: ClassifierConfig): {
  readonly layers: readonly LayerShape[];
  readonly side: number;
} {
  const layers: LayerShape[] = [{ from: 3, to: channels, stride: 1 }];
  let side = size;
  let width = channels;
  for (; side > LAST_SIDE; side = Math.ceil(side / 2)) {
    const to = Math.min(2 * width, 4 * channels);
    layers.push({ from: width, to, stride: 2 }, { from: to, to, stride: 1 });
    width = to;
  }
  return { layers, side };
}

/** The parameters of a classifier for pictures of `config.size` squared, with a head for each question. */
export function classifierParameters(config: ClassifierConfig): ClassifierParameters<Parameter> {
  const { layers, side } = layersOf(config);
  const trunk = layers.map(({ from, to }, i) => {
    const layer = { conv: convParameters(from, to, 3, Math.SQRT2), norm: normParameters(to) };
    return [`${i}`, layer] as const;
  });
  const heads = config.heads.map(
    ({ name, classes }) => [name, linearParameters(config.features, classes.length)] as const,
  );
  return {
    trunk: Object.fromEntries(trunk),
    features: linearParameters(layers.at(-1)!.to * side * side, config.features),
    heads: Object.fromEntries(heads),
  };
}

export interface ClassifierOutputs {
  /** [batch, features], after the activation: what the heads see. */
  readonly features: Tensor;
  /** By head, [batch, classes]. */
  readonly logits: Readonly<Record<string, Tensor>>;
}

/** Pictures [batch, 3, size, size] in [-1, 1] to features and logits. */
export function classifierForward(
  p: ClassifierParameters<Tensor>,
  config: ClassifierConfig,
  x: Tensor,
): ClassifierOutputs {
  const { layers } = layersOf(config);
  const last = layers.reduce((h, { stride }, i) => {
    const layer = p.trunk[i]!;
    return g.swish(groupNorm(layer.norm, conv(layer.conv, h, { stride, pads: 1 }), GROUPS));
  }, x);
  const features = g.swish(linear(p.features, g.reshape(last, [x.shape[0]!, -1])));
  const logits = Object.entries(p.heads).map(([name, head]) => [name, linear(head, features)] as const);
  return { features, logits: Object.fromEntries(logits) };
}
