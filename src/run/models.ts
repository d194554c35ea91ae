/** The models of a run directory, opened: its CLIP, and the tokenizer it has trained. */

import { hashClip, resolveClip } from '../clip/clip-source.ts';
import { type ClipEmbedder, type EmbedderOptions, openEmbedder } from '../clip/embedder.ts';
import type { Executor } from '../engine/executor.ts';
import { codecBatch, compileEncoder, type Decoder, type Encoder, makeDecoder } from '../vqgan/codec.ts';
import type { RunDirectory } from './directory.ts';

export interface RunClipOptions extends EmbedderOptions {
  /** A folder or hub name to use in the place of what the run names. */
  readonly clip?: string | undefined;
}

/** The CLIP a run was trained with. It computes on the CPU whatever the device, with as many threads as the engine. */
export function openRunClip(run: RunDirectory, { clip, ...options }: RunClipOptions = {}): Promise<ClipEmbedder> {
  return openEmbedder(clip ?? clipOf(run), options);
}

/** Identity of that CLIP: the `id` that the embedder will have. It is read off the files; nothing is loaded. */
export const runClipId = async (run: RunDirectory): Promise<string> => hashClip(await resolveClip(clipOf(run)));

const clipOf = ({ settings, clipFolder }: RunDirectory): string =>
  settings.clip === 'compact' ? clipFolder : settings.clip;

/** The encoder of the tokenizer that a run has trained, for `batch` pictures at a time. */
export function openRunEncoder(
  run: RunDirectory,
  executor: Executor,
  batch = codecBatch(run.settings.recipe.imageSize),
): Promise<Encoder> {
  const { tensors } = run.readModel('tokenizer');
  const { recipe, seed } = run.settings;
  return compileEncoder(executor, tensors, recipe, batch, run.file('tokenizer', 'model.safetensors'), seed);
}

/** Its decoder, for any number of pictures. */
export function openRunDecoder(run: RunDirectory, executor: Executor): Decoder {
  const { tensors } = run.readModel('tokenizer');
  return makeDecoder(executor, tensors, run.settings.recipe, run.file('tokenizer', 'model.safetensors'));
}
