/** Codes and CLIP embeddings of every picture of a run: computed once, and kept for as long as the models that made them. */

import fs from 'node:fs';
import { readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import { type ClipEmbedder, imageViews } from '../clip/embedder.ts';
import { fromArrays, type Latents, toArrays } from '../diffusion/latents.ts';
import { UserError } from '../errors.ts';
import { openRunClip, openRunCodec } from '../model.ts';
import { Engine, type EngineOptions } from '../runtime/engine.ts';
import type { Codec } from '../vqgan/codec.ts';
import type { Pixels, Watch } from './pictures.ts';
import { fingerprint, type RunDirectory } from './run.ts';

/** Pictures encoded together. */
const BATCH = 64;

/**
 * The latents of a run's pictures, from its cache or computed now, with the identity of pictures and models.
 * @throws UserError if a model that encodes has not been trained yet.
 */
export async function encodePictures(
  run: RunDirectory,
  pixels: Pixels,
  engineOptions: EngineOptions,
  watch: Watch,
): Promise<{ readonly latents: Latents; readonly id: string }> {
  if (run.settings.clip === 'compact' && !run.hasModel('clip'))
    throw new UserError(`${run.path} holds no trained CLIP: train it first with --stage clip`);
  if (!run.hasModel('tokenizer'))
    throw new UserError(`${run.path} holds no trained tokenizer: train it first with --stage tokenizer`);
  const clip = await openRunClip(run);
  const engine = Engine.start(engineOptions);
  try {
    const id = fingerprint(pixels.id, clip.id, fs.readFileSync(run.file('tokenizer', 'model.safetensors')));
    const cache = run.file('cache', 'latents.safetensors');
    const known = readCache(cache, id);
    if (known) return { latents: known, id };
    const { imageSize } = run.settings.recipe;
    const latents = await encode(pixels.bytes, imageSize, await openRunCodec(run, engine), clip, watch);
    writeSafetensors(cache, toArrays(latents), { id });
    return { latents, id };
  } finally {
    await Promise.all([clip.close(), engine.close()]);
  }
}

function readCache(file: string, id: string): Latents | undefined {
  if (!fs.existsSync(file)) return undefined;
  const { tensors, metadata } = readSafetensors(file);
  return metadata.id === id ? fromArrays(tensors) : undefined;
}

async function encode(
  bytes: Uint8Array,
  imageSize: number,
  codec: Codec,
  clip: ClipEmbedder,
  { signal, display }: Watch,
): Promise<Latents> {
  const onProgress = display.count('encoding');
  const stride = 3 * imageSize ** 2;
  const size = bytes.length / stride;
  const { tokens } = codec;
  const codes = new Int32Array(size * tokens);
  const embeddings = new Float32Array(size * clip.dim);
  for (let start = 0; start < size; start += BATCH) {
    signal.throwIfAborted();
    const part = bytes.subarray(start * stride, (start + BATCH) * stride);
    const [partCodes, partEmbeddings] = await Promise.all([
      codec.encode(part, start),
      clip.embedImages(imageViews(part, imageSize)),
    ]);
    codes.set(partCodes, start * tokens);
    embeddings.set(partEmbeddings, start * clip.dim);
    onProgress(start + part.length / stride, size);
  }
  return { codes, tokens, embeddings, dim: clip.dim, size };
}
