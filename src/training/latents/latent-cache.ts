/**
 * The cache of codes and CLIP embeddings: what it lacks is encoded and kept at once, and batches are read from it. It
 * is kept under the hash of the picture's bytes and of the models that made it.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import { bytesOf } from '../../base/ndarray.ts';
import { option } from '../../base/options.ts';
import type { PictureReader, View } from '../../data/cache/reader.ts';
import { RecordStore } from '../../data/cache/record-store.ts';
import type { ImageSource } from '../../data/sources/source.ts';
import type { Latents } from '../../diffusion/latents.ts';
import { type ClipEmbedder, imageViews } from '../../embedding/embedder.ts';
import { peakResidentBytes, sizeText } from '../../engine/memory/resident.ts';
import type { Watch } from '../../stage/context.ts';
import { fingerprint } from '../../stage/fingerprint.ts';
import type { Encoder } from '../../vqgan/codec.ts';
import type { MemoryWatch } from '../memory.ts';

/** Pictures encoded together. */
export const BATCH = 64;

/** What is encoded: a source, for its names and content ids, and the reader of its pixels. */
export interface Encodable {
  readonly source: Pick<ImageSource, 'size' | 'id' | 'contentId' | 'decoding'>;
  readonly reader: PictureReader;
  /** Identity of the pictures and of what is done to them. */
  readonly id: string;
}

/** What made the latents: a change of one makes anew what depends on it, and nothing else. */
export interface LatentOrigin {
  /** What is done to pictures before they are encoded. */
  readonly pictures: string;
  readonly tokenizer: string;
  readonly tokens: number;
  readonly clip: string;
  readonly dim: number;
}

export interface LatentCache {
  readonly codes: RecordStore;
  readonly embeddings: RecordStore;
  close(): void;
}

/**
 * The stores of codes (int32) and embeddings (float32), of the machine's byte order; those of other models are removed.
 */
export function openLatentCache(folder: string, origin: LatentOrigin): LatentCache {
  const open = (kind: string, width: number, ...made: string[]): RecordStore => {
    const name = `${kind}-${fingerprint(origin.pictures, ...made)}`;
    for (const file of fs.existsSync(folder) ? fs.readdirSync(folder) : [])
      if (file.startsWith(`${kind}-`) && !file.startsWith(`${name}.`)) fs.rmSync(path.join(folder, file));
    return RecordStore.open(path.join(folder, name), width);
  };
  const codes = open('codes', 4 * origin.tokens, origin.tokenizer);
  const embeddings = open('embeddings', 4 * origin.dim, origin.clip);
  return {
    codes,
    embeddings,
    close() {
      codes.close();
      embeddings.close();
    },
  };
}

/** Take damaged records out, so that they are encoded again, with a note. */
export function dropDamaged({ codes, embeddings }: LatentCache, { display }: Pick<Watch, 'display'>): void {
  const [badCodes, badEmbeddings] = [codes, embeddings].map((store) => {
    const slots = store.damaged();
    store.drop(slots);
    return slots.length + store.lost;
  }) as [number, number];
  if (badCodes + badEmbeddings > 0)
    display.note(
      `The cache was damaged: the codes of ${badCodes} pictures and the embeddings of ${badEmbeddings} are made again`,
    );
}

export interface Encoders {
  readonly codec: Pick<Encoder, 'encode'>;
  readonly clip: Pick<ClipEmbedder, 'embedImages'>;
  readonly imageSize: number;
}

/**
 * Encode every view of every picture that the cache lacks. Each batch is kept at once, so that nothing is lost by a
 * stop.
 */
export async function encodeMissing(
  cache: LatentCache,
  { source, reader }: Encodable,
  views: number,
  { codec, clip, imageSize }: Encoders,
  { signal, display }: Watch,
  memory?: MemoryWatch,
): Promise<void> {
  const { codes, embeddings } = cache;
  const isMissing = isMissingFrom(cache, source);
  let total = 0;
  for (const view of allViews(source.size, views)) if (isMissing(view)) total++;
  const onProgress = display.count('encoding');
  let done = 0;
  // Each batch is decoded while the one before it is encoded.
  for await (const { picks, bytes } of readAhead(reader, batchesOf(allViews(source.size, views), isMissing))) {
    signal.throwIfAborted();
    const keys = picks.map(({ row, view }) => viewKey(source.contentId(row), view));
    const lacking = (store: RecordStore) => {
      const at = keys.flatMap((key, n) => (store.slotOf(key) < 0 ? [n] : []));
      return { keys: at.map((n) => keys[n]!), bytes: picturesAt(at, bytes, imageSize) };
    };
    const [toCode, toEmbed] = [lacking(codes), lacking(embeddings)];
    const [newCodes, newEmbeddings] = await Promise.all([
      codec.encode(toCode.bytes, toCode.keys.map(noiseNumber)),
      clip.embedImages(imageViews(toEmbed.bytes, imageSize)),
    ]);
    codes.append(toCode.keys, bytesOf(newCodes));
    embeddings.append(toEmbed.keys, bytesOf(newEmbeddings));
    done += picks.length;
    onProgress(done, total);
    if (memory?.isOver())
      throw new UserError(
        `Encoding: the process holds ${sizeText(peakResidentBytes())}, and ${option('memory')} allows ${sizeText(memory.limit)}: what is encoded is kept; go on with ${option('resume')} and more ${option('memory')}`,
      );
  }
  codes.flush();
  embeddings.flush();
}

/** Some of the pictures [n, side, side, 3] that lie one after another in memory, by their numbers, copied. */
export function picturesAt(numbers: readonly number[], bytes: Uint8Array, side: number): Uint8Array {
  const stride = 3 * side ** 2;
  const some = new Uint8Array(numbers.length * stride);
  for (const [to, n] of numbers.entries()) some.set(bytes.subarray(n * stride, (n + 1) * stride), to * stride);
  return some;
}

/** Whether a cache lacks a view's codes or its embedding. */
export const isMissingFrom =
  ({ codes, embeddings }: LatentCache, source: Encodable['source']) =>
  ({ row, view }: View): boolean => {
    const key = viewKey(source.contentId(row), view);
    return codes.slotOf(key) < 0 || embeddings.slotOf(key) < 0;
  };

/** Every view of every picture, the first views first. */
export function* allViews(size: number, views: number): Iterable<View> {
  for (let view = 0; view < views; view++) for (let row = 0; row < size; row++) yield { row, view };
}

/** The views that `isWanted` accepts, in batches of at most `BATCH`. */
export function* batchesOf(all: Iterable<View>, isWanted: (view: View) => boolean): Generator<View[], undefined> {
  let batch: View[] = [];
  for (const view of all) {
    if (isWanted(view)) batch.push(view);
    if (batch.length === BATCH) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

async function* readAhead(reader: PictureReader, batches: Iterable<View[]>) {
  let coming: { readonly picks: View[]; readonly bytes: Promise<Uint8Array> } | undefined;
  for (const picks of batches) {
    const bytes = reader.read(picks);
    // A failure is reported when the batch's turn comes.
    bytes.catch(() => {});
    if (coming) yield { picks: coming.picks, bytes: await coming.bytes };
    coming = { picks, bytes };
  }
  if (coming) yield { picks: coming.picks, bytes: await coming.bytes };
}

/** The key of one view of a picture: the first is the picture itself. */
export const viewKey = (contentId: string, view: number): string =>
  view === 0 ? contentId : createHash('sha256').update(`${contentId} ${view}`).digest('hex').slice(0, 32);

/** Where codes are drawn, the noise belongs to the picture's content and not to its place. */
export const noiseNumber = (key: string): number => Number.parseInt(key.slice(0, 7), 16);

/** Latents that stay on the disk: in memory are two numbers a view. */
export function storedLatents(
  { codes, embeddings }: LatentCache,
  source: Encodable['source'],
  views: number,
  tokens: number,
  dim: number,
): Latents {
  const slots = (store: RecordStore): Int32Array => {
    const found = new Int32Array(source.size * views);
    for (let row = 0; row < source.size; row++)
      for (let view = 0; view < views; view++)
        found[row * views + view] = store.slotOf(viewKey(source.contentId(row), view));
    return found;
  };
  const [codeSlots, embeddingSlots] = [slots(codes), slots(embeddings)];
  return {
    size: source.size,
    views,
    tokens,
    dim,
    gather(rows, ofViews) {
      const taken = { codes: new Int32Array(rows.length * tokens), embeddings: new Float32Array(rows.length * dim) };
      const [codeBytes, embeddingBytes] = [bytesOf(taken.codes), bytesOf(taken.embeddings)];
      for (let i = 0; i < rows.length; i++) {
        const at = rows[i]! * views + ofViews[i]!;
        const isWhole =
          codes.read(codeSlots[at]!, codeBytes, 4 * i * tokens) &&
          embeddings.read(embeddingSlots[at]!, embeddingBytes, 4 * i * dim);
        if (!isWhole)
          throw new UserError(
            `The cache of codes and embeddings was damaged while it was read (${source.id(rows[i]!)}): resume, and what is damaged is made again`,
          );
      }
      return taken;
    },
  };
}
