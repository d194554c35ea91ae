/** The statistics of a run's embeddings, of a part of its pictures where they are many. */

import { type EmbeddingStatistics, momentsOf } from '../clip/correction.ts';
import type { Latents } from '../diffusion/latents.ts';

/** Pictures that moments are taken over, and those that are kept whole. */
const [MOST, ANCHORS] = [8192, 1024];

/** @param texts embeddings of texts, [n, dim]. */
export function statisticsOf(
  latents: Pick<Latents, 'size' | 'dim' | 'gather'>,
  texts: Float32Array,
): EmbeddingStatistics {
  const { size, dim } = latents;
  const count = Math.min(MOST, size);
  // Evenly from all of them.
  const rows = Int32Array.from({ length: count }, (_, i) => Math.floor((i * size) / count));
  const { embeddings } = latents.gather(rows, new Int32Array(count));
  const anchors = Math.min(ANCHORS, count);
  const kept = new Float32Array(anchors * dim);
  for (let i = 0; i < anchors; i++) {
    const row = Math.floor((i * count) / anchors);
    kept.set(embeddings.subarray(row * dim, (row + 1) * dim), i * dim);
  }
  return { images: momentsOf(embeddings, dim), texts: momentsOf(texts, dim), anchors: kept };
}
