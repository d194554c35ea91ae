/** The pictures a run learns from: opened and checked, then read by number. */

import fs from 'node:fs';
import path from 'node:path';
import { decodedId, openReader, type PictureReader, picturesId } from '../../data/cache/reader.ts';
import { leftOutLines } from '../../data/pictures/reasons.ts';
import type { Rejected } from '../../data/sources/containers/container.ts';
import { type InventoryLine, inventoryLine } from '../../data/sources/inventory.ts';
import { openSource } from '../../data/sources/open.ts';
import { inventoryFolder } from '../../data/sources/shared-inventory.ts';
import type { ImageSource } from '../../data/sources/source.ts';
import { linesOf } from '../../files/lines.ts';
import { ALONE, lead, type Ranks } from '../../mpi/ranks.ts';
import type { PictureSettings } from '../../recipe/schema.ts';
import type { RunDirectory } from '../../run/directory.ts';
import type { RunSettings, Watch } from '../../stage/context.ts';
import { heldApart } from './held-out.ts';
import { inOrder, keepOrder, knownOrder } from './order.ts';
import { listRejected } from './rejected.ts';

/** Where faces begin that no stage learns from, for measuring. */
export const HELD_OUT_FACES_OFFSET = 2_000_000_000;

/** Pictures to learn from, and those that were left out. */
export interface Pictures {
  readonly source: ImageSource;
  /** Pictures that are kept for measuring (`pictures.holdOut`); there may be none. */
  readonly heldOut: ImageSource;
  readonly rejected: readonly Rejected[];
  /** What their inspection found, to save the next one. Empty for built-in sets. */
  readonly inventory: readonly InventoryLine[];
  /**
   * Content ids in the order in which the run met them, also of pictures that are not there now. Empty for built-in
   * sets.
   */
  readonly order: readonly string[];
}

/**
 * Open what a run learns from. Pictures are decoded once from end to end, so that nothing is found unreadable later; a
 * run that is resumed looks only at what has changed since.
 * @param found what another process has just found in them, not to be inspected again.
 * @throws UserError if there is no usable picture.
 */
export async function openPictures(
  { data, recipe, seed }: RunSettings,
  { signal, display }: Watch,
  resumed?: RunDirectory,
  found?: readonly InventoryLine[],
): Promise<Pictures> {
  const rejected: Rejected[] = [];
  const inventory: InventoryLine[] = [];
  const known = found ?? (resumed && knownLines(resumed));
  const all = await openSource(data, {
    faces: { seed, count: recipe.images, offset: 0 },
    ...pictureOptions(recipe.pictures),
    known,
    inventories: inventoryFolder(),
    // What cannot be used is inspected again each time, and needs no line.
    onLine: (line) => {
      if ('picture' in line) inventory.push({ name: line.name, stamp: line.stamp, picture: line.picture });
    },
    signal,
    onProgress: display.count('checking'),
    onRejected: (file) => rejected.push(file),
  });
  const { training: source, heldOut } = heldApart(all, recipe.pictures.holdOut);
  if (inventory.length === 0) return { source, heldOut, rejected, inventory, order: [] };
  return { ...inOrder(source, resumed ? knownOrder(resumed, known ?? []) : []), heldOut, rejected, inventory };
}

/**
 * `openPictures` on several ranks: rank 0 decodes and checks the pictures, and the others open them by its inventory.
 */
export async function openPicturesOnRanks(
  ranks: Ranks,
  settings: RunSettings,
  watch: Watch,
  resumed?: RunDirectory,
): Promise<Pictures> {
  if (ranks.size === 1) return openPictures(settings, watch, resumed);
  let own: Pictures | undefined;
  const inventory = await lead(ranks, async () => {
    own = await openPictures(settings, watch, resumed);
    return own.inventory;
  });
  return own ?? openPictures(settings, watch, resumed, inventory);
}

/** What the settings say of opening pictures. */
export const pictureOptions = ({ background, duplicates, exclude, maxPixels }: PictureSettings) => ({
  background,
  duplicates,
  exclude,
  maxPixels: 1e6 * maxPixels,
});

/** The inventory of a run. It saves time only: what of it cannot be read is inspected anew. */
function knownLines(run: RunDirectory): InventoryLine[] {
  const file = run.file(INVENTORY);
  if (!fs.existsSync(file)) return [];
  const known: InventoryLine[] = [];
  for (const { text } of linesOf(file)) {
    try {
      const line = inventoryLine(JSON.parse(text));
      if (line) known.push(line);
    } catch {
      // What a kill has left of a line.
    }
  }
  return known;
}

const INVENTORY = 'cache/inventory.jsonl';

/** Pictures as the stages read them: by number and at the size of the run's recipe. */
export interface RunPictures {
  readonly source: ImageSource;
  readonly reader: PictureReader & { close(): void };
  /** Identity of the pictures and of what is done to them. */
  readonly id: string;
}

/** Decoded pictures of other settings, or of an earlier version of this program, are of no use any more. */
function removeOthers(folder: string, name: string): void {
  for (const file of fs.existsSync(folder) ? fs.readdirSync(folder) : [])
    if (file.startsWith('pixels-') && !file.startsWith(`${name}.`)) fs.rmSync(path.join(folder, file), { force: true });
}

/** Make the pictures ready for the stages. What was left out is listed in the run directory, and noted. */
export function readyPictures(
  run: RunDirectory,
  { source, heldOut, rejected, inventory, order }: Pictures,
  { signal, display }: Watch,
  ranks: Pick<Ranks, 'rank'> = ALONE,
): RunPictures {
  const { recipe, seed } = run.settings;
  const kept = `pixels-${decodedId(recipe.imageSize, recipe.pictures, source)}`;
  if (ranks.rank === 0) {
    if (order.length > 0) keepOrder(run, order);
    if (inventory.length > 0) run.writeLines(INVENTORY, inventory);
    const list = listRejected(run, rejected);
    for (const line of leftOutLines(source.size + heldOut.size, rejected, list)) display.note(line);
    removeOthers(run.file('cache'), kept);
  }
  const options = { source, side: recipe.imageSize, seed, pictures: recipe.pictures };
  // Each rank decodes other pictures, and keeps its own.
  const file = run.file('cache', ranks.rank === 0 ? kept : `${kept}.rank${ranks.rank}`);
  const onDamage = () => display.note('The cache of decoded pictures was damaged: what is damaged is decoded again');
  const reader = openReader({ ...options, file, signal, onDamage });
  return { source, reader, id: picturesId(options) };
}
