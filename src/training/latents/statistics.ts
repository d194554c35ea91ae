/** The statistics of a run's embeddings, of a part of its pictures where they are many. */

import { takeRows } from '../../base/rows.ts';
import { genericTexts } from '../../data/sources/generic-texts.ts';
import type { Latents } from '../../diffusion/latents.ts';
import { type EmbeddingStatistics, momentsOf } from '../../embedding/correction.ts';
import { openRunClip } from '../../run/models.ts';
import { saveStatistics } from '../../run/statistics.ts';
import type { RunContext } from '../context.ts';

/** Pictures that moments are taken over, and those that are kept whole. */
const [MOST, ANCHORS] = [8192, 1024];

/** Keep the statistics of a run's pictures, and of generic texts, which do not describe them. */
export async function keepStatistics(
  { run, engineOptions }: Pick<RunContext, 'run' | 'engineOptions'>,
  latents: Latents,
  id: string,
): Promise<void> {
  const { recipe, data } = run.settings;
  const clip = await openRunClip(run, engineOptions);
  try {
    const texts = genericTexts(data).map((text) => recipe.sampling.promptPrefix + text);
    saveStatistics(run, statisticsOf(latents, await clip.embedTexts(texts, { truncate: true })), id);
  } finally {
    await clip.close();
  }
}

/** @param texts embeddings of texts, [n, dim]. */
function statisticsOf(latents: Pick<Latents, 'size' | 'dim' | 'gather'>, texts: Float32Array): EmbeddingStatistics {
  const { size, dim } = latents;
  const count = Math.min(MOST, size);
  // Evenly from all of them.
  const rows = Int32Array.from({ length: count }, (_, i) => Math.floor((i * size) / count));
  const { embeddings } = latents.gather(rows, new Int32Array(count));
  const anchors = Math.min(ANCHORS, count);
  const evenly = Int32Array.from({ length: anchors }, (_, i) => Math.floor((i * count) / anchors));
  return {
    images: momentsOf(embeddings, dim),
    texts: momentsOf(texts, dim),
    anchors: takeRows(embeddings, dim, evenly),
  };
}
