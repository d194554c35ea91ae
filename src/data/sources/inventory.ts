/**
 * What a container holds that can be learned from: every entry looked at once, decoded to its last row, and named by a hash
 * of its bytes. An inventory taken before saves the look at whatever has not changed since.
 */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { mapConcurrently } from '../../base/concurrency.ts';
import { messageOf } from '../../base/errors.ts';
import { type Inspection, inspect, MAX_PIXELS } from '../pictures/decode.ts';
import type { Container, Rejected } from './containers/container.ts';
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

/** What was found at a name, and a stamp that changes when it does. */
export type InventoryLine = { readonly name: string; readonly stamp: string } & (
  | { readonly picture: Omit<Picture, 'index' | 'name'> }
  | { readonly reason: string }
);

const line = z.union([
  z.strictObject({
    name: z.string(),
    stamp: z.string(),
    picture: z.strictObject({
      bytes: z.int(),
      contentId: z.string().length(32),
      format: z.string(),
      width: z.int(),
      height: z.int(),
      pages: z.int(),
    }),
  }),
  z.strictObject({ name: z.string(), stamp: z.string(), reason: z.string() }),
]);

/** A line that was written down, or undefined if it is none. */
export const inventoryLine = (value: unknown): InventoryLine | undefined => line.safeParse(value).data;

export interface InventoryOptions extends LoadOptions {
  readonly maxPixels?: number | undefined;
  /** Lines of an inventory taken before: names whose stamp is still the same are not looked at again. */
  readonly known?: readonly InventoryLine[] | undefined;
  /** Hears of each line, in the order of the container. */
  readonly onLine?: ((line: InventoryLine) => void) | undefined;
  /** Hears of each picture, in no order, with its thumbnail [16, 16, 3]. */
  readonly onPicture?: (picture: Picture, thumbnail: Uint8Array) => void;
}

/** Look at every entry. One that cannot be used never stops the others: it is listed with its reason. */
export async function takeInventory(container: Container, options: InventoryOptions = {}): Promise<Inventory> {
  const { onLine, onProgress, signal } = options;
  const known = new Map(options.known?.map((one) => [one.name, one]));
  const { names } = container;
  let done = 0;
  const lines = await mapConcurrently(names.length, signal, async (index): Promise<InventoryLine> => {
    const name = names[index]!;
    const stamp = await container.stamp(index);
    const before = known.get(name);
    const found = before?.stamp === stamp ? before : { name, stamp, ...(await lookAt(container, index, options)) };
    onProgress?.(++done, names.length);
    return found;
  });
  for (const one of lines) onLine?.(one);
  return {
    pictures: lines.flatMap((one, index) => ('picture' in one ? [{ index, name: one.name, ...one.picture }] : [])),
    rejected: [
      ...container.rejected,
      ...lines.flatMap((one) => ('reason' in one ? [{ path: one.name, reason: one.reason }] : [])),
    ].sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

async function lookAt(
  container: Container,
  index: number,
  { maxPixels = MAX_PIXELS, onPicture }: InventoryOptions,
): Promise<{ picture: Omit<Picture, 'index' | 'name'> } | { reason: string }> {
  try {
    const bytes = await container.read(index);
    const inspection = await inspect(bytes, maxPixels);
    if (typeof inspection === 'string') return { reason: inspection };
    const { thumbnail, ...seen } = inspection;
    const picture = { bytes: bytes.length, contentId: contentIdOf(bytes), ...seen };
    onPicture?.({ index, name: container.names[index]!, ...picture }, thumbnail);
    return { picture };
  } catch (error) {
    return { reason: messageOf(error) };
  }
}

/** The first 128 bits of the SHA-256, in hex: pictures of equal bytes have equal ids. */
export const contentIdOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 32);
