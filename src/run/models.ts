/** The models of a run directory, opened: its CLIP, and the tokenizer it has trained. */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { type ClipEmbedder, openEmbedder } from '../clip/embedder.ts';
import type { Engine, EngineOptions } from '../engine/engine.ts';
import { type Codec, compileCodec } from '../vqgan/codec.ts';
import type { RunDirectory } from './directory.ts';

/** Pictures of 64 pixels a side that go through the tokenizer together. */
const BATCH = 16;

/** Pictures that go through the tokenizer together: as many pixels at any size of pictures. */
export const codecBatch = (imageSize: number): number => Math.max(1, Math.floor(BATCH * (64 / imageSize) ** 2));

export interface ModelOptions extends EngineOptions {
  /** Where the CLIP lies, if it is not where the run says: a folder or a hub name. */
  readonly clip?: string | undefined;
}

/** The CLIP a run was trained with. It computes on the CPU whatever the device, with as many threads as the engine. */
export async function openRunClip(
  run: RunDirectory,
  { threads = 0, clip = run.settings.clip }: ModelOptions = {},
): Promise<ClipEmbedder> {
  const place = clip === 'compact' ? run.clipFolder : clip;
  if (path.isAbsolute(place) && !fs.existsSync(place))
    throw new UserError(
      `The CLIP of ${run.path} is not in ${place} any more: name its folder with --clip (the same files elsewhere do)`,
    );
  return openEmbedder(place, { threads });
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
