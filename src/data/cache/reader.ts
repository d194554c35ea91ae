/** Pictures at the size a network sees, in any order: decoded once, then read from the disk. */

import { createHash } from 'node:crypto';
import { mapConcurrently } from '../../base/concurrency.ts';
import type { PictureSettings } from '../../recipe/schema.ts';
import { augmentation, isFixed, mirror, variationOf } from '../pictures/augment.ts';
import type { ImageSource } from '../sources/source.ts';
import { RecordStore } from './record-store.ts';

/** One of a picture's views; where pictures are not varied, all views are the same. */
export interface View {
  readonly row: number;
  readonly view: number;
}

/** Pictures by number. */
export interface PictureReader {
  readonly size: number;
  /** Pictures [picks.length, side, side, 3] bytes. */
  read(picks: readonly View[]): Promise<Uint8Array>;
}

export interface ReaderOptions {
  readonly source: ImageSource;
  readonly side: number;
  readonly seed: number;
  readonly pictures: PictureSettings;
  /** Where decoded pictures are kept, `<file>.data` and `<file>.index`; without it each read decodes. */
  readonly file?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called once if kept pictures are damaged; they are decoded again. */
  readonly onDamage?: (() => void) | undefined;
}

/** Decoders at work at once: as many as libuv has threads for them. */
const DECODERS = 4;
/** More than this is not kept on the disk, but decoded anew each time. */
const MOST_KEPT_BYTES = 8 * 2 ** 30;

/**
 * A reader of a source. Pictures that are not varied are kept as they are decoded, so that a source is decoded only
 * once, also over resumed runs.
 */
export function openReader(options: ReaderOptions): PictureReader & { close(): void } {
  const { source, side, seed, pictures, file, signal, onDamage } = options;
  const width = 3 * side * side;
  const keeps = file !== undefined && isFixed(pictures) && source.size * width <= MOST_KEPT_BYTES;
  const store = keeps ? RecordStore.open(file, width) : undefined;
  let isDamaged = (store?.lost ?? 0) > 0;
  if (isDamaged) onDamage?.();
  /** What reads decode is kept in the order of their calls, whichever is quicker: the files depend on no timing. */
  let lastKept: Promise<unknown> = Promise.resolve();

  async function decode({ row, view }: View): Promise<Uint8Array> {
    const { crop, flip } = augmentation(pictures, { seed, view }, source.contentId(row), side);
    const { data } = await source.read(row, side, crop);
    if (flip) mirror(data, side);
    return data;
  }

  return {
    size: source.size,
    async read(picks) {
      const bytes = new Uint8Array(picks.length * width);
      const missing: number[] = [];
      picks.forEach(({ row }, i) => {
        const slot = store?.slotOf(source.contentId(row)) ?? -1;
        if (slot < 0) missing.push(i);
        else if (!store!.read(slot, bytes, i * width)) {
          store!.drop([slot]);
          if (!isDamaged) onDamage?.();
          isDamaged = true;
          missing.push(i);
        }
      });
      const decoding = mapConcurrently(missing.length, signal, (n) => decode(picks[missing[n]!]!), DECODERS);
      const kept = Promise.all([decoding, lastKept]).then(([decoded]) => {
        decoded.forEach((data, n) => {
          bytes.set(data, missing[n]! * width);
          store?.append([source.contentId(picks[missing[n]!]!.row)], data);
        });
      });
      // A read that fails is reported to its caller alone.
      lastKept = Promise.allSettled([lastKept, kept]);
      await kept;
      return bytes;
    },
    close: () => store?.close(),
  };
}

/** What decoded pictures are kept under: everything that decides on their pixels, where they are not varied. */
export const decodedId = (
  side: number,
  { background, crop }: PictureSettings,
  { decoding }: Pick<ImageSource, 'decoding'>,
): string =>
  createHash('sha256')
    .update(JSON.stringify([side, background, crop, decoding ?? '']))
    .digest('hex')
    .slice(0, 16);

/**
 * Identity of the pictures of a source, in order, and of what is done to them, however many views there are: 16 hex
 * digits. No picture is decoded for it.
 */
export function picturesId({
  source,
  side,
  seed,
  pictures,
}: Pick<ReaderOptions, 'source' | 'side' | 'seed' | 'pictures'>): string {
  const hash = createHash('sha256').update(JSON.stringify([side, variationOf(pictures), isFixed(pictures) ? 0 : seed]));
  if (source.decoding !== undefined) hash.update(`decoding ${source.decoding}`);
  for (let row = 0; row < source.size; row++) hash.update(source.contentId(row));
  return hash.digest('hex').slice(0, 16);
}

/**
 * Reads ahead of training: while step s is computed, the pictures of the next steps are decoded.
 */
export class ReadAhead {
  readonly #coming = new Map<number, Promise<Uint8Array>>();

  constructor(
    private readonly reader: PictureReader,
    /** The pictures of a step. */
    private readonly picks: (step: number) => readonly View[],
    /** Steps in all. */
    private readonly steps: number,
    private readonly depth = 4,
  ) {}

  /** The pictures of step `step`; those of the steps before it are forgotten. */
  at(step: number): Promise<Uint8Array> {
    for (const old of this.#coming.keys()) if (old < step) this.#coming.delete(old);
    for (let next = step; next < Math.min(step + this.depth, this.steps); next++) {
      if (this.#coming.has(next)) continue;
      const reading = this.reader.read(this.picks(next));
      // A failure is reported when its step comes.
      reading.catch(() => {});
      this.#coming.set(next, reading);
    }
    return this.#coming.get(step) ?? this.reader.read(this.picks(step));
  }
}
