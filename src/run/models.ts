/** The models of a run directory, opened: its CLIP, and the tokenizer it has trained. */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import { type ClipEmbedder, type EmbedderOptions, openEmbedder } from '../embedding/embedder.ts';
import { hashClip } from '../embedding/sources/clip-files.ts';
import { resolveClip } from '../embedding/sources/clip-source.ts';
import type { Executor } from '../engine/executor.ts';
import { type Codec, type Decoder, type Encoder, makeDecoder, makeEncoder } from '../vqgan/codec.ts';
import type { RunDirectory } from './directory.ts';

export interface RunClipOptions extends EmbedderOptions {
  /** A folder or hub name to use in the place of what the run names. */
  readonly clip?: string | undefined;
}

/** The CLIP a run was trained with. It computes on the CPU whatever the device, with as many threads as the engine. */
export async function openRunClip(run: RunDirectory, { clip, ...options }: RunClipOptions = {}): Promise<ClipEmbedder> {
  const place = clip ?? clipOf(run);
  if (path.isAbsolute(place) && !fs.existsSync(place))
    throw new UserError(
      `The CLIP of ${run.path} is not in ${place} any more: name its folder with ${option('clip')} (the same files elsewhere do)`,
    );
  return openEmbedder(place, options);
}

/** Identity of that CLIP: the `id` that the embedder will have. It is read off the files; nothing is loaded. */
export const runClipId = async (run: RunDirectory): Promise<string> => hashClip(await resolveClip(clipOf(run)));

const clipOf = ({ settings, clipFolder }: RunDirectory): string =>
  settings.clip === 'compact' ? clipFolder : settings.clip;

/**
 * The encoder of the tokenizer that a run has trained, for any number of pictures; in batches of one size if that is
 * given.
 */
export function openRunEncoder(run: RunDirectory, executor: Executor, batch?: number): Encoder {
  const { tensors } = run.readModel('tokenizer');
  const { recipe, seed } = run.settings;
  const sizes = batch === undefined ? {} : { sizes: [batch] };
  return makeEncoder(executor, tensors, recipe, run.file('tokenizer', 'model.safetensors'), { seed, ...sizes });
}

/** Both, for any number of pictures, from one reading of the weights. */
export function openRunCodec(run: RunDirectory, executor: Executor): Codec {
  const { tensors } = run.readModel('tokenizer');
  const { recipe, seed } = run.settings;
  const label = run.file('tokenizer', 'model.safetensors');
  const decoder = makeDecoder(executor, tensors, recipe, label);
  return { ...decoder, ...makeEncoder(executor, tensors, recipe, label, { seed }) };
}

/** The decoder of the tokenizer that a run has trained, for any number of pictures. */
export function openRunDecoder(run: RunDirectory, executor: Executor): Decoder {
  const { tensors } = run.readModel('tokenizer');
  return makeDecoder(executor, tensors, run.settings.recipe, run.file('tokenizer', 'model.safetensors'));
}
