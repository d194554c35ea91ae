/**
 * What a container holds that can be learned from: every entry inspected once, decoded to its last row, and named by a
 * hash of its bytes. An earlier inventory saves the inspection of what has not changed since.
 */

import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import * as z from 'zod';
import { mapConcurrently } from '../../base/concurrency.ts';
import { messageOf } from '../../base/errors.ts';
import { announcedPixels, type Inspection, MAX_PIXELS, readHeader } from '../pictures/decode.ts';
import { IMPRESSION_LENGTH, impressionOf, impressionText } from '../pictures/duplicates.ts';
import { identify } from '../pictures/identify.ts';
import { decoding, reading } from '../pictures/memory.ts';
import { type Container, HEAD, type Rejected } from './containers/container.ts';
import { isGenerated } from './own-files.ts';
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
  | {
      readonly picture: Omit<Picture, 'index' | 'name'>;
      /** What `impressionText` makes of it, for finding pictures that look the same. */
      readonly impression?: string | undefined;
    }
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
    impression: z.string().length(IMPRESSION_LENGTH).optional(),
  }),
  z.strictObject({ name: z.string(), stamp: z.string(), reason: z.string() }),
]);

/** A line that was written down, or undefined if it is none. */
export const inventoryLine = (value: unknown): InventoryLine | undefined => line.safeParse(value).data;

export interface InventoryOptions extends LoadOptions {
  readonly maxPixels?: number | undefined;
  /** Lines of an inventory taken before: names whose stamp is still the same are not inspected again. */
  readonly known?: readonly InventoryLine[] | undefined;
  /** Called with each line, in the order of the container. */
  readonly onLine?: ((line: InventoryLine) => void) | undefined;
  /** Called with each picture that was decoded, in no order. */
  readonly onPicture?: ((picture: Picture) => void) | undefined;
}

/** Look at every entry. One that cannot be used never stops the others: it is listed with its reason. */
export async function takeInventory(container: Container, options: InventoryOptions = {}): Promise<Inventory> {
  const { onLine, onProgress, signal } = options;
  const known = new Map(options.known?.map((one) => [one.name, one]));
  const { names } = container;
  let done = 0;
  const look = async (index: number): Promise<InventoryLine> => {
    const name = names[index]!;
    const stamp = await container.stamp(index);
    const before = known.get(name);
    const found = isStill(before, stamp, options)
      ? before
      : { name, stamp, ...(await lookAt(container, index, options)) };
    onProgress?.(++done, names.length);
    return found;
  };
  const lines = await mapConcurrently(names.length, signal, look, Math.min(MOST_LOOKS, availableParallelism() + 1));
  for (const one of lines) onLine?.(one);
  return {
    pictures: lines.flatMap((one, index) => ('picture' in one ? [{ index, name: one.name, ...one.picture }] : [])),
    rejected: [
      ...container.rejected,
      ...lines.flatMap((one) => ('reason' in one ? [{ path: one.name, reason: one.reason }] : [])),
    ].sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

/** Pictures that are inspected at the same time. */
const MOST_LOOKS = 8;

/**
 * Whether a line holds for what is there now. What was left out is inspected again each time: the cause may be gone
 * without a trace in the file (permissions, a busy disk, a limit that was raised).
 */
function isStill(
  line: InventoryLine | undefined,
  stamp: string,
  { maxPixels = MAX_PIXELS }: InventoryOptions,
): line is InventoryLine {
  if (line === undefined || !('picture' in line)) return false;
  return stamp !== '' && line.stamp === stamp && line.picture.width * line.picture.height <= maxPixels;
}

type Look = { picture: Omit<Picture, 'index' | 'name'>; impression: string } | { reason: string };

async function lookAt(container: Container, index: number, options: InventoryOptions): Promise<Look> {
  try {
    const name = container.names[index]!;
    const size = await container.size(index);
    const head = size > SMALL ? await container.head(index) : undefined;
    const trouble = head && (troubleIn(head, name) ?? (await sizeTrouble(head, size)));
    if (trouble !== undefined) return { reason: trouble };
    return await reading.use(size, async () => {
      const bytes = await container.read(index);
      const reason = troubleIn(bytes.subarray(0, HEAD), name);
      return reason === undefined ? lookInto(bytes, index, name, options) : { reason };
    });
  } catch (error) {
    return { reason: messageOf(error) };
  }
}

/** Files of more bytes are inspected by their beginning first, and read only if that is a picture's. */
const SMALL = 1 << 18;

/** Files of more bytes are compared with the number of pixels that they announce. */
const LARGE = 1 << 26;

/** Why a large file cannot be a picture of the size that its beginning announces, as far as that is known. */
async function sizeTrouble(head: Uint8Array, bytes: number): Promise<string | undefined> {
  const pixels = bytes > LARGE ? await announcedPixels(head) : undefined;
  if (pixels === undefined || bytes <= LARGE + 16 * pixels) return undefined;
  return `of ${(bytes / 2 ** 20).toFixed(0)} MiB where its pixels take ${Math.ceil((4 * pixels) / 2 ** 20)}, which no picture is`;
}

/** What the first bytes of an entry say against it. */
function troubleIn(head: Uint8Array, name: string): string | undefined {
  const identity = identify(head, name);
  if ('reason' in identity) return identity.reason;
  return isGenerated(head) ? 'made by this program, and not trained on' : undefined;
}

async function lookInto(
  bytes: Uint8Array,
  index: number,
  name: string,
  { maxPixels = MAX_PIXELS, onPicture }: InventoryOptions,
): Promise<Look> {
  const header = await readHeader(bytes, maxPixels);
  if (typeof header === 'string') return { reason: header };
  const thumbnail = await decoding.use(header.decodedBytes, () => header.thumbnail());
  if (typeof thumbnail === 'string') return { reason: thumbnail };
  const { format, width, height, pages } = header;
  const picture = { bytes: bytes.length, contentId: contentIdOf(bytes), format, width, height, pages };
  onPicture?.({ index, name, ...picture });
  return { picture, impression: impressionText(impressionOf(thumbnail)) };
}

/** The first 128 bits of the SHA-256, in hex: pictures of equal bytes have equal ids. */
export const contentIdOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 32);
