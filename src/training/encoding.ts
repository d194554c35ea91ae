/**
 * Codes and CLIP embeddings of every picture of a run, each computed once. They are kept under the hash of the
 * picture's bytes and of the model that made them: pictures that are added are the only ones encoded, an interrupted
 * encoding goes on, another tokenizer makes only the codes anew and another CLIP only the embeddings.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import { type ClipEmbedder, imageViews } from '../clip/embedder.ts';
import type { PictureReader, View } from '../data/cache/reader.ts';
import { RecordStore } from '../data/cache/record-store.ts';
import { isFixed, variationOf } from '../data/pictures/augment.ts';
import type { ImageSource } from '../data/sources/source.ts';
import type { Latents } from '../diffusion/latents.ts';
import { Engine } from '../engine/engine.ts';
import { peakResidentBytes, sizeText } from '../engine/memory/resident.ts';
import { ALONE, type Ranks } from '../mpi/ranks.ts';
import { identityOf } from '../recipe/identity.ts';
import type { RunDirectory } from '../run/directory.ts';
import { openRunClip, openRunEncoder, runClipId } from '../run/models.ts';
import type { Watch } from '../stage/context.ts';
import { fingerprint } from '../stage/fingerprint.ts';
import type { Lineage } from '../stage/stage.ts';
import { codecBatch, type Encoder } from '../vqgan/codec.ts';
import { encodingPlan } from '../vqgan/descriptor.ts';
import type { RunContext } from './context.ts';
import { currentBaseline, MemoryWatch, planUnder } from './memory.ts';

/** Pictures encoded together. */
const BATCH = 64;

/** What is encoded: a source, for its names and content ids, and the reader of its pixels. */
export interface Encodable {
  readonly source: Pick<ImageSource, 'size' | 'id' | 'contentId' | 'decoding'>;
  readonly reader: PictureReader;
  /** Identity of the pictures and of what is done to them. */
  readonly id: string;
}

export interface EncodedPictures {
  readonly latents: Latents;
  /** Identity of the pictures and of the models. */
  readonly id: string;
  close(): void;
}

/**
 * Identity of a run's latents: of its pictures, and of the models that encode them. No model is loaded.
 * @throws UserError if a model that encodes has not been trained yet.
 */
export async function latentsId(run: RunDirectory, pictures: Pick<Encodable, 'id'>): Promise<string> {
  refuseUntrained(run);
  return idOf(run, pictures, await runClipId(run), run.stageHash('tokenizer'));
}

/** The parts of that identity. */
export async function latentsMadeFrom(run: RunDirectory, { id }: Pick<Encodable, 'id'>): Promise<Lineage> {
  refuseUntrained(run);
  const pictures = fingerprint(id, `${run.settings.recipe.pictures.views}`);
  return { pictures, clip: await runClipId(run), tokenizer: run.stageHash('tokenizer') };
}

const idOf = ({ settings }: RunDirectory, { id }: Pick<Encodable, 'id'>, clip: string, tokenizer: string): string =>
  fingerprint(id, `${settings.recipe.pictures.views}`, clip, tokenizer);

function refuseUntrained(run: RunDirectory): void {
  if (run.settings.clip === 'compact' && !run.hasModel('clip'))
    throw new UserError(`${run.path} holds no trained CLIP: train it first with ${option('stages', 'clip')}`);
  if (!run.hasModel('tokenizer'))
    throw new UserError(`${run.path} holds no trained tokenizer: train it first with ${option('stages', 'tokenizer')}`);
}

/** Encodes what the cache of rank 0 lacks; the other ranks have none. */
export type EncodeOverRanks = (
  ranks: Ranks,
  cache: LatentCache | undefined,
  pictures: Encodable,
  views: number,
  encoders: Encoders,
  watch: Watch,
) => Promise<void>;

/**
 * The latents of a run's pictures, with the identity of pictures and models. Pixels are read only for what is not in
 * the cache.
 * @param encodeOverRanks used where there are several.
 * @throws UserError if a model that encodes has not been trained yet, or the limit of memory is too low for it.
 */
export async function encodePictures(
  context: RunContext,
  pictures: Encodable,
  encodeOverRanks: EncodeOverRanks,
): Promise<EncodedPictures> {
  const { run, engineOptions, memory: limit, ranks = ALONE } = context;
  refuseUntrained(run);
  const clip = await openRunClip(run, engineOptions);
  const engine = Engine.start(engineOptions);
  try {
    const tokenizer = run.stageHash('tokenizer');
    const { recipe, seed } = run.settings;
    // How much the CLIP takes is measured: its graph is not ours to read.
    if (limit !== undefined) await clip.embedImages(imageViews(new Uint8Array(BATCH * 3 * 32 ** 2), 32));
    const batch = codecBatch(recipe.imageSize);
    const microBatches =
      limit === undefined ? 1 : planUnder(encodingPlan(recipe, batch), 1, limit, currentBaseline()).microBatches;
    const codec = openRunEncoder(run, engine, batch / microBatches);
    const { views } = recipe.pictures;
    const origin = {
      pictures: JSON.stringify([
        ...[recipe.imageSize, variationOf(recipe.pictures), isFixed(recipe.pictures) ? 0 : seed],
        ...(pictures.source.decoding === undefined ? [] : [pictures.source.decoding]),
      ]),
      tokenizer: fingerprint(tokenizer, identityOf('tokenizer', recipe.tokenizer), `${seed}`),
      tokens: codec.tokens,
      clip: clip.id,
      dim: clip.dim,
    };
    // The files are those of one rank until they are complete.
    const own = ranks.rank === 0 ? openLatentCache(run.file('cache'), origin) : undefined;
    if (own) dropDamaged(own, context);
    const memory = limit === undefined ? undefined : new MemoryWatch(limit);
    const encoders = { codec, clip, imageSize: recipe.imageSize };
    if (ranks.size > 1) await encodeOverRanks(ranks, own, pictures, views, encoders, context);
    else if (own) await encodeMissing(own, pictures, views, encoders, context, memory);
    await ranks.barrier();
    const cache = own ?? openLatentCache(run.file('cache'), origin);
    return {
      latents: storedLatents(cache, pictures.source, views, codec.tokens, clip.dim),
      id: idOf(run, pictures, clip.id, tokenizer),
      close: () => cache.close(),
    };
  } finally {
    await Promise.all([clip.close(), engine.close()]);
  }
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

/** Take out what is not what was written, so that it is encoded again, and say so. */
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
  const stride = 3 * imageSize ** 2;
  let done = 0;
  // Each batch is decoded while the one before it is encoded.
  for await (const { picks, bytes } of readAhead(reader, batchesOf(allViews(source.size, views), isMissing))) {
    signal.throwIfAborted();
    const keys = picks.map(({ row, view }) => viewKey(source.contentId(row), view));
    const lacking = (store: RecordStore) => {
      const at = keys.flatMap((key, n) => (store.slotOf(key) < 0 ? [n] : []));
      const part = new Uint8Array(at.length * stride);
      at.forEach((n, to) => {
        part.set(bytes.subarray(n * stride, (n + 1) * stride), to * stride);
      });
      return { keys: at.map((n) => keys[n]!), bytes: part };
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
        `Encoding: the process has come to ${sizeText(peakResidentBytes())}, and ${option('memory')} allows ${sizeText(memory.limit)}: what is encoded is kept; go on with ${option('resume')} and more ${option('memory')}`,
      );
  }
  codes.flush();
  embeddings.flush();
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

/** Those that are wanted, a batch at a time. */
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

export const bytesOf = ({ buffer, byteOffset, byteLength }: Int32Array | Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

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
