/** From pictures to a model: the stages in order, each learning from what the one before has left. */

import fs from 'node:fs';
import path from 'node:path';
import { readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import { type ClipEmbedder, imageViews } from '../clip/embedder.ts';
import { clipStage } from '../clip/stage.ts';
import { openTowerDistance, type TowerDistance } from '../clip/tower-distance.ts';
import { facePairs } from '../data/faces/source.ts';
import { openSource } from '../data/open.ts';
import { type ImageSource, loadAll } from '../data/source.ts';
import type { Rejected } from '../data/walk.ts';
import { fromArrays, type Latents, toArrays } from '../diffusion/latents.ts';
import { isValidated } from '../diffusion/learning-rate.ts';
import { transformerConfig } from '../diffusion/model.ts';
import { diffusionStage } from '../diffusion/stage.ts';
import { diffusionParameters } from '../diffusion/transformer.ts';
import { UserError } from '../errors.ts';
import { openRunClip, openRunCodec } from '../model.ts';
import type { NDArray, Tree } from '../ndarray.ts';
import { adopt } from '../nn/parameters.ts';
import type { Recipe } from '../recipe.ts';
import { Engine, type EngineOptions } from '../runtime/engine.ts';
import type { Codec } from '../vqgan/codec.ts';
import { type LpipsSource, loadLpips } from '../vqgan/lpips-weights.ts';
import { lpipsDistance, type PerceptualDistance } from '../vqgan/perceptual.ts';
import { tokenizerStage } from '../vqgan/stage.ts';
import { fingerprint, type RunDirectory, type RunSettings } from './run.ts';
import type { Stage, StageName } from './stage.ts';
import { type Progress, trainStage } from './trainer.ts';
import { Validation } from './validation.ts';

/** Where the CLIP's captioned faces begin: far from any face the generator learns from, so that the two never share a picture. */
export const CLIP_FACES_OFFSET = 1_000_000_000;
/** And where faces begin that no stage learns from, for measuring. */
export const HELD_OUT_FACES_OFFSET = 2_000_000_000;

/** What the pipeline tells while it works. */
export interface PipelineDisplay {
  step(progress: Progress): void;
  count(what: string): (done: number, total: number) => void;
  note(text: string): void;
}

export interface PipelineOptions {
  readonly run: RunDirectory;
  /** What `openPictures` found. */
  readonly pictures: Pictures;
  readonly stages: readonly StageName[];
  readonly engine: EngineOptions;
  readonly resume: boolean;
  readonly checkpointEvery: number;
  readonly maxSteps?: number | undefined;
  /** Where the weights of LPIPS come from, if the recipe wants them. */
  readonly lpips?: Pick<LpipsSource, 'folder' | 'offline'> | undefined;
  readonly signal: AbortSignal;
  readonly display: PipelineDisplay;
}

/** Pictures to learn from, and the files that were left out. */
export interface Pictures {
  readonly source: ImageSource;
  readonly rejected: readonly Rejected[];
}

/**
 * Open what a run learns from. Folders are decoded once from end to end, so that nothing is found unreadable later.
 * @throws UserError if there is no usable picture.
 */
export async function openPictures(
  { data, recipe, seed }: RunSettings,
  { signal, display }: Pick<PipelineOptions, 'signal' | 'display'>,
): Promise<Pictures> {
  const rejected: Rejected[] = [];
  const source = await openSource(data, {
    faces: { seed, count: recipe.images, offset: 0 },
    signal,
    onProgress: display.count('checking'),
    onRejected: (file) => rejected.push(file),
  });
  return { source, rejected };
}

/**
 * Train the stages that were asked for.
 * @returns the seconds each part took, in order.
 * @throws UserError, or Interrupted when the signal fires (training can then be resumed).
 */
export async function trainPipeline(
  options: PipelineOptions,
): Promise<{ readonly seconds: Readonly<Record<string, number>> }> {
  const pipeline = new Pipeline(options);
  const seconds: Record<string, number> = {};
  const parts: Record<StageName, () => Promise<void>> = {
    clip: () => pipeline.clip(),
    tokenizer: () => pipeline.tokenizer(),
    diffusion: () => pipeline.diffusion(),
    finetune: () => pipeline.finetune(),
  };
  for (const stage of options.stages) {
    const start = performance.now();
    await parts[stage]();
    seconds[stage] = (performance.now() - start) / 1000;
  }
  return { seconds };
}

class Pipeline {
  private pixels: Promise<{ bytes: Uint8Array; id: string }> | undefined;

  constructor(private readonly options: PipelineOptions) {}

  /** The compact CLIP: the only stage that sees captions. With another CLIP there is nothing to train. */
  async clip(): Promise<void> {
    const { run, signal, display } = this.options;
    const { clip, data, seed, recipe } = run.settings;
    if (clip !== 'compact') return;
    if (data !== 'faces')
      throw new UserError(
        `A compact CLIP learns from captions, which ${data} does not have: name another with --clip <folder or hub name>`,
      );
    const pairs = facePairs({ seed, count: recipe.clip.pairs, offset: CLIP_FACES_OFFSET });
    const images = await loadAll(pairs.images, recipe.clip.imageSize, { signal, onProgress: display.count('drawing') });
    const id = fingerprint('clip', JSON.stringify(recipe.clip), `${seed}`);
    await this.train((engine) =>
      clipStage({
        engine,
        settings: recipe.clip,
        seed,
        pairs: { size: recipe.clip.pairs, side: recipe.clip.imageSize, images, caption: pairs.caption },
        folder: run.clipFolder,
        fingerprint: id,
      }),
    );
  }

  /** The visual tokenizer: images only. */
  async tokenizer(): Promise<void> {
    const { run } = this.options;
    const { recipe, seed } = run.settings;
    const { bytes, id } = await this.images();
    const eyes = this.ownEyes();
    const settings = JSON.stringify([recipe.tokenizer, recipe.imageSize]);
    const identity = fingerprint('tokenizer', settings, `${seed}`, id, eyes?.id ?? '');
    await this.train((engine) =>
      tokenizerStage({
        engine,
        recipe,
        seed,
        images: bytes,
        fingerprint: identity,
        loadPerceptual: async () => eyes ?? this.perceptual(),
        onExport: (params) => run.saveModel('tokenizer', params, {}),
      }),
    );
  }

  /** The perceptual distance in the features of the run's compact CLIP, if the recipe wants that one and the run has one. */
  private ownEyes(): TowerDistance | undefined {
    const { run } = this.options;
    const { clip, recipe } = run.settings;
    const { perceptualNet, perceptualWeight } = recipe.tokenizer;
    if (perceptualNet !== 'clip' || perceptualWeight === 0) return undefined;
    const folder = clip === 'compact' ? run.clipFolder : clip;
    if (clip === 'compact' && !run.hasModel('clip'))
      throw new UserError(
        `${run.path} holds no trained CLIP, through which its tokenizer compares pictures: train it first with --stage clip`,
      );
    return fs.existsSync(path.join(folder, 'model.safetensors')) ? openTowerDistance(folder) : undefined;
  }

  /** LPIPS. Weights the user names must be there; without those of the cache training goes on, and says so. */
  private async perceptual(): Promise<PerceptualDistance | undefined> {
    const { lpips, signal, display, run } = this.options;
    const { perceptualNet } = run.settings.recipe.tokenizer;
    if (perceptualNet === 'clip') {
      display.note(
        'Training without the perceptual distance: it looks through a compact CLIP, and this run has another.',
      );
      return undefined;
    }
    try {
      return lpipsDistance(
        await loadLpips(perceptualNet, { ...lpips, signal, onProgress: display.count('fetching LPIPS') }),
      );
    } catch (error) {
      if (!(error instanceof UserError) || lpips?.folder !== undefined) throw error;
      display.note(
        `Training without the perceptual distance: ${error.message}. Name a folder with the weights by --lpips, or set tokenizer.perceptualWeight=0.`,
      );
      return undefined;
    }
  }

  /** The diffusion model: codes and CLIP image embeddings only. */
  async diffusion(): Promise<void> {
    const { run } = this.options;
    const { latents, id } = await this.latents();
    await this.denoiser(run.settings.recipe, latents, id, (params) => {
      run.saveModel('diffusion', params, { latents: id });
      run.forgetModel('finetune');
    });
  }

  /** The paper's second stage: the diffusion model goes on with settings of its own, and learns what guidance needs. */
  async finetune(): Promise<void> {
    const { run } = this.options;
    const { recipe } = run.settings;
    if (recipe.finetune.steps === 0)
      throw new UserError(`The recipe of ${run.path} has no second stage: finetune.steps is 0`);
    if (!run.hasModel('diffusion'))
      throw new UserError(`${run.path} holds no trained diffusion model: train it first with --stage diffusion`);
    const { latents, id } = await this.latents();
    const file = run.file('diffusion', 'model.safetensors');
    const parameters = diffusionParameters(transformerConfig(recipe, latents.dim));
    const initial = adopt(parameters, run.readModel('diffusion').tensors, file);
    const settings = { ...recipe, diffusion: { ...recipe.diffusion, ...recipe.finetune } };
    const identity = fingerprint(id, fs.readFileSync(file));
    await this.denoiser(
      settings,
      latents,
      identity,
      (params) => run.saveModel('finetune', params, { latents: id }),
      initial,
    );
  }

  private async denoiser(
    recipe: Recipe,
    latents: Latents,
    id: string,
    onExport: (params: Tree<NDArray>) => void,
    initial?: Tree<NDArray>,
  ): Promise<void> {
    const { run, engine: engineOptions } = this.options;
    const { seed } = run.settings;
    const settings = JSON.stringify([recipe.diffusion, recipe.tokenizer, recipe.imageSize]);
    const validation = new Validation({ run, recipe, latents, engine: engineOptions });
    try {
      await this.train((engine) =>
        diffusionStage({
          engine,
          recipe,
          seed,
          latents,
          fingerprint: fingerprint('diffusion', settings, `${seed}`, id),
          initial,
          ...(isValidated(recipe.diffusion) && { validate: (ema) => validation.score(ema) }),
          onExport,
        }),
      );
    } finally {
      await validation.close();
    }
  }

  /** Train a stage in an engine of its own, so that its memory is free afterwards. */
  private async train(make: (engine: Engine) => Stage): Promise<void> {
    const { run, resume, checkpointEvery, maxSteps, signal, display } = this.options;
    const engine = Engine.start(this.options.engine);
    try {
      await trainStage(make(engine), {
        run,
        engine,
        resume,
        checkpointEvery,
        maxSteps,
        signal,
        onProgress: display.step,
        onNote: display.note,
      });
    } finally {
      await engine.close();
    }
  }

  /** The training pictures in memory, [n, size, size, 3] bytes, read once. */
  private images(): Promise<{ bytes: Uint8Array; id: string }> {
    this.pixels ??= this.readImages();
    return this.pixels;
  }

  private async readImages(): Promise<{ bytes: Uint8Array; id: string }> {
    const { run, signal, display } = this.options;
    const { data, recipe } = run.settings;
    const { source, rejected } = this.options.pictures;
    if (rejected.length > 0) {
      run.writeJson('rejected.json', rejected);
      display.note(
        `${rejected.length} of ${source.size + rejected.length} files are not usable pictures and are left out: see ${run.file('rejected.json')}`,
      );
    }
    const bytes = await loadAll(source, recipe.imageSize, {
      signal,
      onProgress: display.count(data === 'faces' ? 'drawing' : 'reading'),
    });
    return { bytes, id: fingerprint(bytes) };
  }

  /** Codes and embeddings of every picture: computed once, then kept in the run's cache for as long as the models that made them. */
  private async latents(): Promise<{ latents: Latents; id: string }> {
    const { run, display } = this.options;
    const { bytes, id: imagesId } = await this.images();
    if (run.settings.clip === 'compact' && !run.hasModel('clip'))
      throw new UserError(`${run.path} holds no trained CLIP: train it first with --stage clip`);
    if (!run.hasModel('tokenizer'))
      throw new UserError(`${run.path} holds no trained tokenizer: train it first with --stage tokenizer`);
    const clip = await openRunClip(run);
    const engine = Engine.start(this.options.engine);
    try {
      const id = fingerprint(imagesId, clip.id, fs.readFileSync(run.file('tokenizer', 'model.safetensors')));
      const cache = run.file('cache', 'latents.safetensors');
      if (fs.existsSync(cache)) {
        const { tensors, metadata } = readSafetensors(cache);
        const known = metadata.id === id ? fromArrays(tensors) : undefined;
        if (known) return { latents: known, id };
      }
      const codec = await openRunCodec(run, engine);
      const latents = await this.encode(bytes, codec, clip, display.count('encoding'));
      writeSafetensors(cache, toArrays(latents), { id });
      return { latents, id };
    } finally {
      await Promise.all([clip.close(), engine.close()]);
    }
  }

  private async encode(
    bytes: Uint8Array,
    codec: Codec,
    clip: ClipEmbedder,
    onProgress: (done: number, total: number) => void,
  ): Promise<Latents> {
    const { imageSize } = this.options.run.settings.recipe;
    const stride = 3 * imageSize ** 2;
    const size = bytes.length / stride;
    const { tokens } = codec;
    const codes = new Int32Array(size * tokens);
    const embeddings = new Float32Array(size * clip.dim);
    for (let start = 0; start < size; start += ENCODE_BATCH) {
      this.options.signal.throwIfAborted();
      const part = bytes.subarray(start * stride, (start + ENCODE_BATCH) * stride);
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
}

/** Pictures encoded together. */
const ENCODE_BATCH = 64;
