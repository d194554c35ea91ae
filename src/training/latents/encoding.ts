/**
 * Codes and CLIP embeddings of every picture of a run, each computed once. They are kept under the hash of the
 * picture's bytes and of the model that made them: pictures that are added are the only ones encoded, an interrupted
 * encoding goes on, another tokenizer makes only the codes anew and another CLIP only the embeddings.
 */

import { UserError } from '../../base/errors.ts';
import { option } from '../../base/options.ts';
import { isFixed, variationOf } from '../../data/pictures/augment.ts';
import type { Latents } from '../../diffusion/latents.ts';
import { imageViews } from '../../embedding/embedder.ts';
import { Engine } from '../../engine/engine.ts';
import { ALONE } from '../../mpi/ranks.ts';
import { identityOf } from '../../recipe/identity.ts';
import type { RunDirectory } from '../../run/directory.ts';
import { openRunClip, openRunEncoder, runClipId } from '../../run/models.ts';
import { fingerprint } from '../../stage/fingerprint.ts';
import type { Lineage } from '../../stage/stage.ts';
import { codecBatch } from '../../vqgan/codec.ts';
import { encodingPlan } from '../../vqgan/descriptor.ts';
import type { RunContext } from '../context.ts';
import { currentBaseline, MemoryWatch, planUnder } from '../memory.ts';
import {
  BATCH,
  dropDamaged,
  type Encodable,
  encodeMissing,
  type LatentCache,
  openLatentCache,
  storedLatents,
} from './latent-cache.ts';
import { encodeOverRanks } from './shared-encoding.ts';

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
  const { run, engineOptions, memory: limit, ranks = ALONE } = context;
  refuseUntrained(run);
  const clip = await openRunClip(run, engineOptions);
  const engine = Engine.start(engineOptions);
  let own: LatentCache | undefined;
  try {
    const tokenizer = run.stageHash('tokenizer');
    const { recipe, seed } = run.settings;
    // The memory that the CLIP takes is measured: it has no graph to read that off.
    if (limit !== undefined) await clip.embedImages(imageViews(new Uint8Array(BATCH * 3 * 32 ** 2), 32));
    // No more than are read together, or than there are: what a batch lacks is computed all the same.
    const { views } = recipe.pictures;
    const batch = Math.min(codecBatch(recipe.imageSize), BATCH, pictures.source.size * views);
    const microBatches =
      limit === undefined ? 1 : planUnder(encodingPlan(recipe, batch), 1, limit, currentBaseline()).microBatches;
    const codec = openRunEncoder(run, engine, batch / microBatches);
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
    own = ranks.rank === 0 ? openLatentCache(run.file('cache'), origin) : undefined;
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
  } catch (error) {
    own?.close();
    throw error;
  } finally {
    await Promise.all([clip.close(), engine.close()]);
  }
}
