/** From a run directory to a model on an executor. */

import { setImmediate } from 'node:timers/promises';
import { UserError } from '../base/errors.ts';
import type { ClipEmbedder } from '../embedding/embedder.ts';
import type { Engine, EngineOptions } from '../engine/engine.ts';
import type { Ranks } from '../mpi/ranks.ts';
import type { RunDirectory } from '../run/directory.ts';
import { PictureModel } from './draw.ts';

/** How far the loading of a model has come. */
export interface LoadProgress {
  /** `clip`: bytes of a CLIP that is fetched from the hub; `weights`: arrays of the denoiser. */
  readonly part: 'clip' | 'weights';
  readonly done: number;
  readonly total: number;
}

/** What a model computes on, and which CLIP embeds its prompts. */
export interface LoadOptions extends EngineOptions {
  /** A folder or hub name of the CLIP to use in the place of the one that the run names. */
  readonly clip?: string | undefined;
  /** Fetch nothing. */
  readonly offline?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** The processes that draw together: each draws some of the batches, and all give all pictures. @internal */
  readonly ranks?: Ranks | undefined;
}

/** Check that a CLIP fits a model. @throws UserError if it has not the width that the model was trained with. */
export function checkWidths(run: RunDirectory, clip: ClipEmbedder, { conditionDim }: PictureModel): void {
  if (clip.dim !== conditionDim)
    throw new UserError(
      `${run.path} was trained with a CLIP of width ${conditionDim}; this one gives ${clip.dim} numbers: give the one it was trained with`,
    );
}

/** The model of a run, on an executor, and its identity. */
export async function loadModel(
  run: RunDirectory,
  executor: Engine,
  signal: AbortSignal | undefined,
  onProgress: (done: number, total: number) => void,
): Promise<{ readonly model: PictureModel; readonly hash: string }> {
  // Reading blocks this thread: the worker threads are let off first.
  await setImmediate();
  const { recipe, seed } = run.settings;
  const weights = (stage: 'tokenizer' | 'diffusion' | 'finetune') => ({
    label: run.file(stage, 'model.safetensors'),
    tensors: run.readModel(stage).tensors,
  });
  const [tokenizer, denoiser] = [weights('tokenizer'), weights(run.denoiserStage)];
  const options = { executor, recipe, tokenizer, denoiser, handOver: true, seed, signal, onProgress };
  const model = await PictureModel.load(options);
  return { model, hash: run.modelHash() };
}
