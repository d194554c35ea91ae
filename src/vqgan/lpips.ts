/** LPIPS v0.1 (Zhang et al., 1801.03924): how different two pictures look, from the features of a trained network. */

import { float32 } from '../base/ndarray.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { constant, type Parameter } from '../nn/parameters.ts';
import {
  backboneFeatures,
  backboneParameters,
  type Convolution,
  type Features,
  featureChannels,
  type PerceptualNet,
} from './lpips-backbones.ts';

/**
 * Network and learned weights of the channels: `lin` is numbered by feature, [1, channels, 1, 1] each, not negative.
 */
export type Lpips<T> = {
  readonly features: Features<T>;
  readonly lin: { readonly [index: string]: { readonly weight: T } };
};

/** The parameters of LPIPS over a network; their values come from files. */
export const lpipsParameters = (net: PerceptualNet): Lpips<Parameter> => ({
  features: backboneParameters(net),
  lin: Object.fromEntries(featureChannels(net).map((channels, i) => [i, { weight: constant([1, channels, 1, 1], 0) }])),
});

/** Mean and deviation of the networks' training pictures, for pictures in [-1, 1]. */
const SHIFT = [-0.03, -0.088, -0.188];
const SCALE = [0.458, 0.448, 0.45];

/** Added to the norm of a feature vector. */
const EPS = 1e-10;

/** The features of pictures [batch, 3, size, size] in [-1, 1], finest first: each [batch, channels, height, width]. */
export const lpipsFeatures = (net: PerceptualNet, p: Lpips<Tensor>, x: Tensor, convolve?: Convolution): Tensor[] =>
  backboneFeatures(net, p.features, g.div(g.sub(x, perChannel(SHIFT)), perChannel(SCALE)), convolve);

/** (f/‖f‖ − h/‖h‖)² of two features, the norm over the channels of each position. */
export const featureDifference = (f: Tensor, h: Tensor): Tensor => g.square(g.sub(direction(f), direction(h)));

/**
 * Each channel's difference in its learned weight, summed: [batch, channels, height, width] to [batch, height, width].
 */
export const weighted = ({ lin }: Lpips<Tensor>, layer: number, difference: Tensor): Tensor =>
  g.sum(g.mul(difference, lin[layer]!.weight), 1);

/**
 * d(x, y) = Σ_layers mean over positions of Σ_channels w (f̂ − ĥ)²: pictures [batch, 3, size, size] in [-1, 1] to
 * [batch], 0 for equal pictures. Pictures need 32 pixels a side.
 */
export function lpips(net: PerceptualNet, p: Lpips<Tensor>, x: Tensor, y: Tensor, convolve?: Convolution): Tensor {
  const others = lpipsFeatures(net, p, y, convolve);
  const distances = lpipsFeatures(net, p, x, convolve).map((f, layer) =>
    g.mean(weighted(p, layer, featureDifference(f, others[layer]!)), [1, 2]),
  );
  return distances.reduce((a, b) => g.add(a, b));
}

/** f/(‖f‖ + eps). Where all channels are zero the root has no gradient, which would otherwise be not a number. */
function direction(f: Tensor): Tensor {
  const length = g.sqrt(g.maximum(g.sum(g.square(f), 1, true), EPS * EPS));
  return g.div(f, g.add(length, EPS));
}

const perChannel = (values: readonly number[]): Tensor => g.constant(float32(values, [1, values.length, 1, 1]));
