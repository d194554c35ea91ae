/** The pictures a run learns from: opened and checked, then read by number. */

import { openReader, type PictureReader, picturesId } from '../data/cache/reader.ts';
import type { Rejected } from '../data/sources/containers/container.ts';
import { type InventoryLine, inventoryLine } from '../data/sources/inventory.ts';
import { openSource } from '../data/sources/open.ts';
import type { ImageSource } from '../data/sources/source.ts';
import type { RunDirectory } from '../run/directory.ts';
import type { RunSettings, Watch } from '../stage/context.ts';
import { fingerprint } from '../stage/fingerprint.ts';

/** Where faces begin that no stage learns from, for measuring. */
export const HELD_OUT_FACES_OFFSET = 2_000_000_000;

/** Pictures to learn from, and those that were left out. */
export interface Pictures {
  readonly source: ImageSource;
  readonly rejected: readonly Rejected[];
  /** What the look at them found, to save the next one. Empty for built-in sets. */
  readonly inventory: readonly InventoryLine[];
}

/**
 * Open what a run learns from. Pictures are decoded once from end to end, so that nothing is found unreadable later; a run that
 * is resumed looks only at what has changed since.
 * @throws UserError if there is no usable picture.
 */
export async function openPictures(
  { data, recipe, seed }: RunSettings,
  { signal, display }: Watch,
  resumed?: RunDirectory,
): Promise<Pictures> {
  const rejected: Rejected[] = [];
  const inventory: InventoryLine[] = [];
  const source = await openSource(data, {
    faces: { seed, count: recipe.images, offset: 0 },
    background: recipe.pictures.background,
    known: resumed?.readLines(INVENTORY).flatMap((line) => inventoryLine(line) ?? []),
    onLine: (line) => inventory.push(line),
    signal,
    onProgress: display.count('checking'),
    onRejected: (file) => rejected.push(file),
  });
  return { source, rejected, inventory };
}

const INVENTORY = 'cache/inventory.jsonl';

/** Pictures as the stages want them: by number and at the size of the run's recipe. */
export interface RunPictures {
  readonly source: ImageSource;
  readonly reader: PictureReader & { close(): void };
  /** Identity of the pictures and of what is done to them. */
  readonly id: string;
}

/** Make the pictures ready for the stages. What was left out is listed in the run directory, and said. */
export function readyPictures(
  run: RunDirectory,
  { source, rejected, inventory }: Pictures,
  { signal, display }: Watch,
): RunPictures {
  const { recipe, seed } = run.settings;
  if (inventory.length > 0) run.writeLines(INVENTORY, inventory);
  if (rejected.length > 0) {
    run.writeLines('rejected.jsonl', rejected);
    display.note(
      `${rejected.length} of ${source.size + rejected.length} files are not usable pictures and are left out: see ${run.file('rejected.jsonl')}`,
    );
  }
  const options = { source, side: recipe.imageSize, seed, pictures: recipe.pictures };
  const kept = fingerprint(`${recipe.imageSize}`, recipe.pictures.background);
  const onDamage = () => display.note('The cache of decoded pictures was damaged: what is damaged is decoded again');
  const reader = openReader({ ...options, file: run.file('cache', `pixels-${kept}`), signal, onDamage });
  return { source, reader, id: picturesId(options) };
}
