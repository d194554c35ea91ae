/**
 * What the diffusion stage learns from: the codes and the CLIP image embedding of every picture. No pixels, no
 * captions.
 */
import { takeRows } from '../base/rows.ts';

/** Codes and CLIP image embeddings of the pictures of a run. */
export interface Latents {
  /** Pictures. */
  readonly size: number;
  /** Views of each: crops and mirrorings that were encoded, 1 where pictures are not varied. */
  readonly views: number;
  /** Codes of each picture. */
  readonly tokens: number;
  /** Width of an embedding. */
  readonly dim: number;
  /** View `views[i]` of picture `rows[i]`: codes [n, tokens], and embeddings of unit norm [n, dim]. */
  gather(rows: ArrayLike<number>, views: ArrayLike<number>): { codes: Int32Array; embeddings: Float32Array };
}

/** Latents that lie in memory: `codes` [size, tokens], `embeddings` [size, dim]. */
export function latentsOf(codes: Int32Array, tokens: number, embeddings: Float32Array, dim: number): Latents {
  return {
    size: codes.length / tokens,
    views: 1,
    tokens,
    dim,
    gather: (rows) => ({ codes: takeRows(codes, tokens, rows), embeddings: takeRows(embeddings, dim, rows) }),
  };
}
