/**
 * The first codebook: clusters of the latents that a plain autoencoder has learned. Gumbel training from scratch
 * collapses.
 */

import { float32, type NDArray } from '../base/ndarray.ts';
import type { NoiseKey } from '../random/noise.ts';
import { kmeans } from './kmeans.ts';
import type { Tokenizer } from './model.ts';

/** Logit by which a code beats another whose squared distance is larger by the mean one within a cluster. */
export const SHARPNESS = 15;
const ITERATIONS = 10;

/**
 * Codes e at the k-means centres of latents [n, dim], and a projection whose logits rank codes by their distance from
 * z: weight 2g e and bias −g|e|², so that logits = g|z|² − g|z − e|², with g = 15 / mean |z − e|² within the clusters.
 */
export async function codebookFrom(
  latents: Float32Array,
  dim: number,
  codes: number,
  key: NoiseKey,
): Promise<Tokenizer<NDArray>['quantize']> {
  const { centres, meanSquare } = await kmeans(latents, dim, codes, ITERATIONS, key);
  const sharpness = SHARPNESS / Math.max(meanSquare, 1e-6);
  const bias = new Float32Array(codes);
  centres.forEach((x, at) => {
    bias[Math.floor(at / dim)]! -= sharpness * x * x;
  });
  return {
    embed: { weight: float32(centres, [codes, dim]) },
    proj: {
      weight: float32(
        centres.map((x) => 2 * sharpness * x),
        [codes, dim, 1, 1],
      ),
      bias: float32(bias, [codes]),
    },
  };
}
