/** The captioned pictures of a run, for its compact CLIP alone. */

import type { CaptionedPictures } from '../../clip/batches.ts';
import type { Rejected } from '../../data/sources/containers/container.ts';
import { captionsId } from '../../data/sources/faces/source.ts';
import { openPairs, type PairSource } from '../../data/sources/pairs.ts';
import { inventoryFolder } from '../../data/sources/shared-inventory.ts';
import { loadAll } from '../../data/sources/source.ts';
import { ALONE } from '../../mpi/ranks.ts';
import { fingerprint } from '../../stage/fingerprint.ts';
import type { Lineage } from '../../stage/stage.ts';
import type { RunContext } from '../context.ts';
import { listRejected } from './rejected.ts';

/**
 * Where the CLIP's captioned faces begin: far from any face the generator learns from, so that the two never share a
 * picture.
 */
const CLIP_FACES_OFFSET = 1_000_000_000;

/** The captioned pictures of one run. */
export class RunPairs {
  private source: Promise<PairSource> | undefined;

  constructor(private readonly context: RunContext) {}

  /**
   * Identity of the pictures and their first captions; undefined for drawn ones, which are what they are drawn from.
   */
  async identity(): Promise<string | undefined> {
    if (this.context.run.settings.data === 'faces') return captionsId();
    const { images, caption } = await this.found();
    return fingerprint(...Array.from({ length: images.size }, (_, i) => `${images.contentId(i)} ${caption(i, 0)}`));
  }

  async madeFrom(): Promise<Lineage> {
    return { pairs: (await this.identity()) ?? this.context.run.settings.data };
  }

  /** All of them, at the size that the CLIP sees. */
  async open(): Promise<CaptionedPictures> {
    const { run, signal, display } = this.context;
    const side = run.settings.recipe.clip.imageSize;
    const { images, caption } = await this.found();
    const onProgress = display.count(run.settings.data === 'faces' ? 'drawing' : 'reading');
    return { size: images.size, side, images: await loadAll(images, side, { signal, onProgress }), caption };
  }

  close(): void {}

  private found(): Promise<PairSource> {
    this.source ??= findPairs(this.context);
    return this.source;
  }
}

/** Look at the pictures, and list what cannot be used in the run directory. */
async function findPairs({ run, signal, display, ranks = ALONE }: RunContext): Promise<PairSource> {
  const { data, seed, recipe } = run.settings;
  const rejected: Rejected[] = [];
  const source = await openPairs(data, {
    ...{ seed, count: recipe.clip.pairs, offset: CLIP_FACES_OFFSET, signal, inventories: inventoryFolder() },
    onProgress: display.count('checking'),
    onRejected: (one) => rejected.push(one),
  });
  if (ranks.rank !== 0) return source;
  const list = listRejected(run, rejected);
  if (rejected.length > 0) display.note(`${rejected.length} captioned pictures cannot be used: see ${list}`);
  return source;
}
