/**
 * Inventories that all commands share: what `data check` has decoded, training does not decode again to look at it, nor
 * does a CLIP that learns from captions of the same pictures. They lie in the user's cache, a file for each place, and
 * save time only: what of them cannot be read, or does not hold any more, is inspected anew.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { makeFolder, writeFileAtomic } from '../../files/atomic.ts';
import { cacheFolder } from '../../files/cache-folder.ts';
import { readText } from '../../files/regular-file.ts';
import { DECODING } from '../pictures/decode.ts';
import type { Container } from './containers/container.ts';
import {
  type Inventory,
  type InventoryLine,
  type InventoryOptions,
  inventoryLine,
  takeInventory,
} from './inventory.ts';

/** Where inventories are shared, on this machine and for all runs. */
export const inventoryFolder = (): string => path.join(cacheFolder(), 'inventories');

export interface SharedInventoryOptions extends InventoryOptions {
  /** The folder of the shared inventories; by default none is shared. */
  readonly inventories?: string | undefined;
}

/** `takeInventory`, with what other looks at the same files have found, and for those that come after it. */
export async function takeSharedInventory(container: Container, options: SharedInventoryOptions): Promise<Inventory> {
  const { inventories, known = [], onLine } = options;
  if (inventories === undefined) return takeInventory(container, options);
  const shared = sharedLines(inventories, container);
  const lines: InventoryLine[] = [];
  const found = await takeInventory(container, {
    ...options,
    known: [...known, ...shared],
    onLine(line) {
      if (isShared(line)) lines.push(line);
      onLine?.(line);
    },
  });
  const before = new Set<InventoryLine>(shared);
  if (lines.some((line) => !before.has(line))) keep(inventories, container.path, lines);
  return found;
}

/** Good pictures at files that say when they change, with all that any command needs of a check. */
const isShared = (line: InventoryLine): boolean =>
  line.stamp !== '' && 'picture' in line && line.impression !== undefined;

/** Folders above a picture whose inventories are looked into, and such folders in all. */
const [MOST_LEVELS, MOST_PLACES] = [4, 256];

/** Lines about entries of a container, out of the inventories of all places that hold them. */
function sharedLines(folder: string, container: Container): InventoryLine[] {
  const root = path.resolve(container.path);
  const wanted = new Map<string, string>();
  const places = new Set<string>([root]);
  for (const name of container.names) {
    const file = path.resolve(root, name);
    wanted.set(file, name);
    for (let place = path.dirname(file), level = 0; level < MOST_LEVELS; place = path.dirname(place), level++)
      if (places.size < MOST_PLACES) places.add(place);
  }
  return [...places].flatMap((place) =>
    linesOf(folder, place).flatMap((line) => {
      const name = wanted.get(path.resolve(place, line.name));
      return name === undefined ? [] : [{ ...line, name }];
    }),
  );
}

const fileOf = (folder: string, place: string): string =>
  path.join(folder, `${createHash('sha256').update(place).digest('hex').slice(0, 24)}.jsonl`);

/** The first line: other decoders may find other files good. */
const HEADER = JSON.stringify({ format: 'clip-vqdiffusion inventory', decoding: DECODING });
const MOST_BYTES = 2 ** 28;

function linesOf(folder: string, place: string): InventoryLine[] {
  const file = fileOf(folder, place);
  if (!fs.existsSync(file)) return [];
  try {
    const [header, ...lines] = readText(file, MOST_BYTES).split('\n');
    if (header !== HEADER) return [];
    return lines.flatMap((line) => {
      const parsed = line === '' ? undefined : inventoryLine(JSON.parse(line));
      return parsed && isShared(parsed) ? [parsed] : [];
    });
  } catch {
    return [];
  }
}

/** Inventories that are kept: the latest. */
const MOST_KEPT = 100;

function keep(folder: string, place: string, lines: readonly InventoryLine[]): void {
  try {
    makeFolder(folder);
    const text = [HEADER, ...lines.map((line) => JSON.stringify(line))].join('\n');
    writeFileAtomic(fileOf(folder, path.resolve(place)), `${text}\n`);
    const files = fs.readdirSync(folder).map((name) => path.join(folder, name));
    const ages = files.map((file) => ({ file, time: fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }));
    for (const { file } of ages.sort((a, b) => b.time - a.time).slice(MOST_KEPT)) fs.rmSync(file, { force: true });
  } catch {
    // A cache that cannot be written costs time, and nothing else.
  }
}
