/**
 * Revival of dead codes: a code that no latent chooses has no part in the picture and hardly a gradient, and would stay
 * dead. It becomes the twin of a busy code and takes over a part of that code's latents.
 */

import { float32, type NDArray } from '../base/ndarray.ts';
import { type NoiseKey, permutation } from '../random/noise.ts';
import { SHARPNESS } from './codebook.ts';
import type { Tokenizer } from './model.ts';

type Quantizer = Tokenizer<NDArray>['quantize'];

/** Latents of a batch and what they chose. */
export interface Assignment {
  /** [latents, codeDim]. */
  readonly rows: Float32Array;
  /** The most likely code of each, [latents]. */
  readonly index: Int32Array;
}

/** The quantizer after a revival, and what was revived. */
export interface Revival {
  /** The codes that were dead, each with the busy code it was seeded from. */
  readonly revived: readonly { readonly code: number; readonly parent: number }[];
  readonly quantize: Quantizer;
}

/** The codes that no batch has used for `after` steps; `idle` [codes] counts them. */
export const deadCodes = (idle: ArrayLike<number>, after: number): number[] =>
  Array.from({ length: idle.length }, (_, code) => code).filter((code) => idle[code]! >= after);

/**
 * Seed each dead code k at a latent z of a busy code j, one that more latents than average have chosen, m their mean:
 *
 *   e_k = e_j ;   w_k = w_j + 2g (z − m) ;   b_k = b_j − g (|z|² − |m|²)
 *
 * so that logit_k − logit_j = g (|x − m|² − |x − z|²): of the latents x of code j those nearer to z than to the mean
 * become code k's. They decode as before, because both have the same embedding; from there the gradients part them. g
 * is as sharp, for the spread of j's latents, as where the codebook began. Which latents: a pure function of the key.
 * With too few of them some codes stay dead.
 */
export function revive(quantize: Quantizer, dead: readonly number[], assignment: Assignment, key: NoiseKey): Revival {
  const [codes, dim] = quantize.embed.weight.shape as readonly [number, number];
  const clusters = clustersOf(assignment, codes, dim);
  const average = assignment.index.length / codes;
  const busy = (code: number) => clusters.counts[code]! > Math.max(1, average) && clusters.spread(code) > 0;
  const order = permutation(key.seed, key.stream, key.step, assignment.index.length);
  const chosen = [...order].filter((at) => busy(assignment.index[at]!)).slice(0, dead.length);

  const [embed, weight, bias] = [quantize.embed.weight, quantize.proj.weight, quantize.proj.bias].map(copyOf) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const revived = chosen.map((at, i) => ({ code: dead[i]!, parent: assignment.index[at]!, at }));
  for (const { code, parent, at } of revived) {
    const sharpness = SHARPNESS / clusters.spread(parent);
    let offset = 0;
    for (let d = 0; d < dim; d++) {
      const [z, m] = [assignment.rows[at * dim + d]!, clusters.mean(parent, d)];
      embed[code * dim + d] = embed[parent * dim + d]!;
      weight[code * dim + d] = weight[parent * dim + d]! + 2 * sharpness * (z - m);
      offset += z * z - m * m;
    }
    bias[code] = bias[parent]! - sharpness * offset;
  }
  return {
    revived: revived.map(({ code, parent }) => ({ code, parent })),
    quantize: {
      embed: { weight: float32(embed, quantize.embed.weight.shape) },
      proj: {
        weight: float32(weight, quantize.proj.weight.shape),
        bias: float32(bias, quantize.proj.bias.shape),
      },
    },
  };
}

/** Adam's moments of the quantizer with those of some codes forgotten: they belong to what the codes were. */
export function forgetMoments(moments: Quantizer, codes: readonly number[]): Quantizer {
  const cleared = (array: NDArray): NDArray => {
    const data = copyOf(array);
    const width = data.length / array.shape[0]!;
    for (const code of codes) data.fill(0, code * width, (code + 1) * width);
    return float32(data, array.shape);
  };
  const { embed, proj } = moments;
  return {
    embed: { weight: cleared(embed.weight) },
    proj: { weight: cleared(proj.weight), bias: cleared(proj.bias) },
  };
}

const copyOf = ({ data }: NDArray): Float32Array => Float32Array.from(data);

interface Clusters {
  /** Latents of each code. */
  readonly counts: Int32Array;
  mean(code: number, d: number): number;
  /** Mean squared distance of a code's latents from their mean. */
  spread(code: number): number;
}

function clustersOf({ rows, index }: Assignment, codes: number, dim: number): Clusters {
  const counts = new Int32Array(codes);
  const sums = new Float64Array(codes * dim);
  const squares = new Float64Array(codes);
  index.forEach((code, at) => {
    counts[code]!++;
    for (let d = 0; d < dim; d++) sums[code * dim + d]! += rows[at * dim + d]!;
  });
  const mean = (code: number, d: number) => sums[code * dim + d]! / counts[code]!;
  index.forEach((code, at) => {
    for (let d = 0; d < dim; d++) squares[code]! += (rows[at * dim + d]! - mean(code, d)) ** 2;
  });
  return { counts, mean, spread: (code) => squares[code]! / counts[code]! };
}
