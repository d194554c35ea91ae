/**
 * The order in which pictures joined a run, by content. A picture keeps its place when it is renamed, moved or away for
 * a while, and new ones join at the end: a run that is resumed goes on with the order it began with.
 */

import fs from 'node:fs';
import type { InventoryLine } from '../../data/sources/inventory.ts';
import { type ImageSource, partOf } from '../../data/sources/source.ts';
import { writeFileAtomic } from '../../files/atomic.ts';
import { readText } from '../../files/regular-file.ts';
import type { RunDirectory } from '../../run/directory.ts';

const FILE = 'cache/order.txt';

/** Content ids in the order that a run has kept; of a run that kept none, in the order of its last inventory. */
export function knownOrder(run: RunDirectory, inventory: readonly InventoryLine[]): readonly string[] {
  const file = run.file(FILE);
  if (fs.existsSync(file)) return readText(file).split('\n').filter(Boolean);
  return inventory.flatMap((line) => ('picture' in line ? [line.picture.contentId] : []));
}

/** Write the order of a run's pictures, for `knownOrder`. */
export const keepOrder = (run: RunDirectory, order: readonly string[]): void =>
  writeFileAtomic(run.file(FILE), order.map((id) => `${id}\n`).join(''));

/** A source in a given order, and that order with what is new at its end. What is not there now keeps its place. */
export function inOrder(
  source: ImageSource,
  known: readonly string[],
): { readonly source: ImageSource; readonly order: readonly string[] } {
  const places = new Map<string, number[]>();
  for (let row = source.size - 1; row >= 0; row--) {
    const id = source.contentId(row);
    const rows = places.get(id);
    if (rows) rows.push(row);
    else places.set(id, [row]);
  }
  const rows = known.flatMap((id) => places.get(id)?.pop() ?? []);
  const fresh = [...places.values()].flat().sort((a, b) => a - b);
  const all = Int32Array.from([...rows, ...fresh]);
  const order = [...known, ...fresh.map((row) => source.contentId(row))];
  if (all.every((row, i) => row === i)) return { source, order };
  return { source: partOf(source, all), order };
}
