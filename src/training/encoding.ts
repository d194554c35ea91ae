/**
 * Codes and CLIP embeddings of every picture of a run, each computed once. They are kept under the hash of the
 * picture's bytes and of the model that made them: pictures that are added are the only ones encoded, an interrupted
 * encoding goes on, another tokenizer makes only the codes anew and another CLIP only the embeddings.
 */

import { UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import { type ClipEmbedder, imageViews } from '../clip/embedder.ts';
import type { PictureReader, View } from '../data/cache/reader.ts';
import { isFixed, variationOf } from '../data/pictures/augment.ts';
import type { ImageSource } from '../data/sources/source.ts';
import type { Latents } from '../diffusion/latents.ts';
import { Engine } from '../engine/engine.ts';
import { peakResidentBytes, sizeText } from '../engine/memory/resident.ts';
import { identityOf } from '../recipe/identity.ts';
import type { RunDirectory } from '../run/directory.ts';
import { openRunClip, openRunEncoder, runClipId } from '../run/models.ts';
import type { Watch } from '../stage/context.ts';
import { fingerprint } from '../stage/fingerprint.ts';
import type { Lineage } from '../stage/stage.ts';
import { codecBatch, type Encoder } from '../vqgan/codec.ts';
import { encodingPlan } from '../vqgan/descriptor.ts';
import type { RunContext } from './context.ts';
import { bytesOf, dropDamaged, type LatentCache, openLatentCache, storedLatents, viewKey } from './latent-cache.ts';
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

/**
 * The latents of a run's pictures, with the identity of pictures and models. Pixels are read only for what is not in
 * the cache.
 * @throws UserError if a model that encodes has not been trained yet, or the limit of memory is too low for it.
 */
export async function encodePictures(context: RunContext, pictures: Encodable): Promise<EncodedPictures> {
  const { run, engineOptions, memory: limit } = context;
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
    const cache = openLatentCache(run.file('cache'), {
      pictures: JSON.stringify([
        ...[recipe.imageSize, variationOf(recipe.pictures), isFixed(recipe.pictures) ? 0 : seed],
        ...(pictures.source.decoding === undefined ? [] : [pictures.source.decoding]),
      ]),
      tokenizer: fingerprint(tokenizer, identityOf('tokenizer', recipe.tokenizer), `${seed}`),
      tokens: codec.tokens,
      clip: clip.id,
      dim: clip.dim,
    });
    dropDamaged(cache, context);
    const memory = limit === undefined ? undefined : new MemoryWatch(limit);
    await encodeMissing(cache, pictures, views, { codec, clip, imageSize: recipe.imageSize }, context, memory);
    return {
      latents: storedLatents(cache, pictures.source, views, codec.tokens, clip.dim),
      id: idOf(run, pictures, clip.id, tokenizer),
      close: () => cache.close(),
    };
  } finally {
    await Promise.all([clip.close(), engine.close()]);
  }
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
  { codes, embeddings }: LatentCache,
  { source, reader }: Encodable,
  views: number,
  { codec, clip, imageSize }: Encoders,
  { signal, display }: Watch,
  memory?: MemoryWatch,
): Promise<void> {
  const isMissing = (view: View): boolean => {
    const key = viewKey(source.contentId(view.row), view.view);
    return codes.slotOf(key) < 0 || embeddings.slotOf(key) < 0;
  };
  let total = 0;
  for (const view of allViews(source.size, views)) if (isMissing(view)) total++;
  const onProgress = display.count('encoding');
  const stride = 3 * imageSize ** 2;
  let done = 0;
  // Each batch is decoded while the one before it is encoded.
  for await (const { picks, bytes } of readAhead(reader, batchesOf(allViews(source.size, views), isMissing))) {
    signal.throwIfAborted();
    const keys = picks.map(({ row, view }) => viewKey(source.contentId(row), view));
    const lacking = (store: LatentCache['codes']) => {
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

/** Every view of every picture, the first views first. */
function* allViews(size: number, views: number): Iterable<View> {
  for (let view = 0; view < views; view++) for (let row = 0; row < size; row++) yield { row, view };
}

/** Those that are wanted, a batch at a time. */
function* batchesOf(all: Iterable<View>, isWanted: (view: View) => boolean): Iterable<View[]> {
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

/** Where codes are drawn, the noise belongs to the picture's content and not to its place. */
const noiseNumber = (key: string): number => Number.parseInt(key.slice(0, 7), 16);
