/** The pictures a run learns from: opened and checked, then read into memory once. */

import type { Rejected } from '../data/containers/container.ts';
import { openSource } from '../data/open.ts';
import { type ImageSource, loadAll } from '../data/source.ts';
import type { TrainingDisplay } from './display.ts';
import { fingerprint, type RunDirectory, type RunSettings } from './run.ts';

/** Where the CLIP's captioned faces begin: far from any face the generator learns from, so that the two never share a picture. */
export const CLIP_FACES_OFFSET = 1_000_000_000;
/** And where faces begin that no stage learns from, for measuring. */
export const HELD_OUT_FACES_OFFSET = 2_000_000_000;

/** Who watches, and who may stop it. */
export interface Watch {
  readonly signal: AbortSignal;
  readonly display: TrainingDisplay;
}

/** Pictures to learn from, and the files that were left out. */
export interface Pictures {
  readonly source: ImageSource;
  readonly rejected: readonly Rejected[];
}

/**
 * Open what a run learns from. Pictures are decoded once from end to end, so that nothing is found unreadable later.
 * @throws UserError if there is no usable picture.
 */
export async function openPictures({ data, recipe, seed }: RunSettings, { signal, display }: Watch): Promise<Pictures> {
  const rejected: Rejected[] = [];
  const source = await openSource(data, {
    faces: { seed, count: recipe.images, offset: 0 },
    background: recipe.pictures.background,
    signal,
    onProgress: display.count('checking'),
    onRejected: (file) => rejected.push(file),
  });
  return { source, rejected };
}

/** Pictures in memory, [n, size, size, 3] bytes, with their identity. */
export interface Pixels {
  readonly bytes: Uint8Array;
  readonly id: string;
}

/** Read all pictures at the size of the run's recipe. Files that were left out are listed in the run directory. */
export async function readPictures(
  run: RunDirectory,
  { source, rejected }: Pictures,
  { signal, display }: Watch,
): Promise<Pixels> {
  const { data, recipe } = run.settings;
  if (rejected.length > 0) {
    run.writeLines('rejected.jsonl', rejected);
    display.note(
      `${rejected.length} of ${source.size + rejected.length} files are not usable pictures and are left out: see ${run.file('rejected.jsonl')}`,
    );
  }
  const onProgress = display.count(data === 'faces' ? 'drawing' : 'reading');
  const bytes = await loadAll(source, recipe.imageSize, { signal, onProgress });
  return { bytes, id: fingerprint(bytes) };
}
