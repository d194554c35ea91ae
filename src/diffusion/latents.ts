/** What the diffusion stage learns from: the codes and the CLIP image embedding of every picture. No pixels, no captions. */

import type { NDArray } from '../ndarray.ts';
import { float32, int32 } from '../ndarray.ts';

export interface Latents {
  /** Codes, [size, tokens]. */
  readonly codes: Int32Array;
  readonly tokens: number;
  /** CLIP image embeddings of unit norm, [size, dim]. */
  readonly embeddings: Float32Array;
  readonly dim: number;
  readonly size: number;
}

export function toArrays({ codes, tokens, embeddings, dim, size }: Latents): Record<string, NDArray> {
  return { codes: int32(codes, [size, tokens]), embeddings: float32(embeddings, [size, dim]) };
}

/** The inverse of `toArrays`; undefined if the arrays are not latents. */
export function fromArrays({ codes, embeddings }: Readonly<Record<string, NDArray>>): Latents | undefined {
  if (codes?.dtype !== 'int32' || embeddings?.dtype !== 'float32' || codes.shape[0] !== embeddings.shape[0])
    return undefined;
  return {
    codes: codes.data,
    tokens: codes.shape[1]!,
    embeddings: embeddings.data,
    dim: embeddings.shape[1]!,
    size: codes.shape[0]!,
  };
}

/** Rows of a table [size, width], one after another. */
export function takeRows<T extends Int32Array | Float32Array | Uint8Array>(
  table: T,
  width: number,
  rows: ArrayLike<number>,
): T {
  const taken = new (table.constructor as new (n: number) => T)(rows.length * width);
  for (let i = 0; i < rows.length; i++) taken.set(table.subarray(rows[i]! * width, (rows[i]! + 1) * width), i * width);
  return taken;
}
