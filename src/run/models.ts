/** The models of a run directory, opened: its CLIP, and the tokenizer it has trained. */

import { type ClipEmbedder, openEmbedder } from '../clip/embedder.ts';
import type { Engine, EngineOptions } from '../engine/engine.ts';
import { type Codec, compileCodec } from '../vqgan/codec.ts';
import type { RunDirectory } from './directory.ts';

/** Pictures of 64 pixels a side that go through the tokenizer together. */
const BATCH = 16;

/** Pictures that go through the tokenizer together: as many pixels at any size of pictures. */
export const codecBatch = (imageSize: number): number => Math.max(1, Math.floor(BATCH * (64 / imageSize) ** 2));

/** The CLIP a run was trained with. It computes on the CPU whatever the device, with as many threads as the engine. */
export function openRunClip(run: RunDirectory, { threads = 0 }: EngineOptions = {}): Promise<ClipEmbedder> {
  return openEmbedder(run.settings.clip === 'compact' ? run.clipFolder : run.settings.clip, { threads });
}

/** The tokenizer a run has trained, for `batch` pictures at a time. */
export function openRunCodec(
  run: RunDirectory,
  engine: Engine,
  batch = codecBatch(run.settings.recipe.imageSize),
): Promise<Codec> {
  const { tensors } = run.readModel('tokenizer');
  const { recipe, seed } = run.settings;
  return compileCodec(engine, tensors, recipe, batch, run.file('tokenizer', 'model.safetensors'), seed);
}
