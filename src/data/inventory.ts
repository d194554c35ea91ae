/**
 * What a container holds that can be learned from: every entry looked at once, decoded to its last row, and named by a hash
 * of its bytes. An inventory taken before saves the look at whatever has not changed since.
 */

import { createHash } from 'node:crypto';
import { messageOf } from '../errors.ts';
import { mapConcurrently } from './concurrency.ts';
import type { Container, Rejected } from './containers/container.ts';
import { type Inspection, inspect, MAX_PIXELS } from './decode.ts';
import type { LoadOptions } from './source.ts';

/** A picture that can be used. */
export interface Picture extends Omit<Inspection, 'thumbnail'> {
  /** Its number in the container. */
  readonly index: number;
  readonly name: string;
  /** Of the encoded picture. */
  readonly bytes: number;
  /** SHA-256 of the encoded picture, the first 128 bits in hex. */
  readonly contentId: string;
}

export interface Inventory {
  readonly pictures: readonly Picture[];
  readonly rejected: readonly Rejected[];
}

export interface InventoryOptions extends LoadOptions {
  readonly maxPixels?: number | undefined;
  /** Hears of each picture, in no order, with its thumbnail [16, 16, 3]. */
  readonly onPicture?: (picture: Picture, thumbnail: Uint8Array) => void;
}

/** Look at every entry. One that cannot be used never stops the others: it is listed with its reason. */
export async function takeInventory(container: Container, options: InventoryOptions = {}): Promise<Inventory> {
  const { maxPixels = MAX_PIXELS, onPicture, onProgress, signal } = options;
  const { names } = container;
  let done = 0;
  const found = await mapConcurrently(names.length, signal, async (index): Promise<Picture | Rejected> => {
    const name = names[index]!;
    const seen = await lookAt(container, index, maxPixels);
    onProgress?.(++done, names.length);
    if (typeof seen === 'string') return { path: name, reason: seen };
    const { inspection, bytes } = seen;
    const { thumbnail, ...rest } = inspection;
    const picture = { index, name, bytes: bytes.length, contentId: contentIdOf(bytes), ...rest };
    onPicture?.(picture, thumbnail);
    return picture;
  });
  const bad = found.filter((one): one is Rejected => 'reason' in one);
  return {
    pictures: found.filter((one): one is Picture => 'contentId' in one),
    rejected: [...container.rejected, ...bad].sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

/** The first 128 bits of the SHA-256, in hex: pictures of equal bytes have equal ids. */
export const contentIdOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 32);

async function lookAt(container: Container, index: number, maxPixels: number) {
  try {
    const bytes = await container.read(index);
    const inspection = await inspect(bytes, maxPixels);
    return typeof inspection === 'string' ? inspection : { inspection, bytes };
  } catch (error) {
    return messageOf(error);
  }
}
