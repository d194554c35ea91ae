/** Load a trained model, make pictures from prompts, encode and reconstruct pictures. */

import { createRequire } from 'node:module';
import { setImmediate } from 'node:timers/promises';
import { UserError } from '../base/errors.ts';
import { correctTexts, type EmbeddingStatistics } from '../clip/correction.ts';
import { ownScores } from '../clip/cosine.ts';
import type { ClipEmbedder } from '../clip/embedder.ts';
import { packImages, type RgbImage } from '../data/pictures/image.ts';
import { encodePng } from '../data/pictures/png.ts';
import { takeRows } from '../diffusion/latents.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import type { Recipe } from '../recipe/schema.ts';
import { RunDirectory } from '../run/directory.ts';
import { checkMadeFrom } from '../run/lineage.ts';
import { openRunClip, openRunEncoder } from '../run/models.ts';
import { readStatistics } from '../run/statistics.ts';
import type { Encoder } from '../vqgan/codec.ts';
import { type Drawn, type Frame, type Passes, PictureModel } from './draw.ts';
import {
  checkPictures,
  type GenerateOptions,
  type Request,
  requestOf,
  type SamplingChoice,
  type Wanted,
} from './options.ts';
import { provenanceTexts } from './provenance.ts';

export type { RgbImage } from '../data/pictures/image.ts';
export type { SamplerName } from '../diffusion/samplers/index.ts';
export type { EngineOptions } from '../engine/engine.ts';
export type { Frame, Passes } from './draw.ts';
export type { GenerateOptions, SamplingChoice } from './options.ts';

const { version } = createRequire(import.meta.url)('clip-vqdiffusion/package.json') as { version: string };

/** Pictures sampled together. */
const BATCH = 16;

export interface LoadProgress {
  /** `clip`: bytes of a CLIP that is fetched from the hub; `weights`: arrays of the denoiser. */
  readonly part: 'clip' | 'weights';
  readonly done: number;
  readonly total: number;
}

export interface LoadOptions extends EngineOptions {
  /** A folder or hub name of the CLIP to use in the place of the one that the run names. */
  readonly clip?: string | undefined;
  /** Fetch nothing. */
  readonly offline?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

export interface GeneratedImage {
  readonly image: RgbImage;
  /** Its codes, [tokens]: `decode` gives the picture back. */
  readonly tokens: Int32Array;
  readonly prompt: string;
  /** What it was guided away from. */
  readonly negative: string | undefined;
  readonly seed: number;
  /** Cosine of the picture with its prompt under the CLIP that conditioned it, in [-1, 1]. */
  readonly clipScore: number;
  /**
   * The mean of the candidates' cosines, where the picture is the best of several: what it would have been without
   * choosing.
   */
  readonly meanClipScore: number;
  readonly settings: SamplingChoice;
  /** Of this picture alone; the other candidates took as many each. */
  readonly passes: Passes;
}

export interface StreamOptions extends Omit<GenerateOptions, 'bestOf'> {
  /** Decode the pictures at every step. */
  readonly preview?: boolean | undefined;
}

/** A frame of a stream; the last one brings the finished pictures. */
export interface StreamFrame extends Frame {
  readonly pictures: readonly GeneratedImage[] | undefined;
}

interface Embedded {
  readonly texts: Float32Array;
  readonly conditions: Float32Array;
  readonly negative: Float32Array | undefined;
}

export class Generator {
  private encoder: Encoder | undefined;
  private statistics: EmbeddingStatistics | undefined;

  private constructor(
    private readonly run: RunDirectory,
    private readonly engine: Engine,
    /** The CLIP that drives the model. */
    readonly clip: ClipEmbedder,
    private readonly model: PictureModel,
    /** Identity of the weights and the recipe, 16 hex digits. */
    readonly hash: string,
  ) {}

  /**
   * Load a run directory. The CLIP and the engine start at the same time.
   * @throws UserError if it is not one, lacks a stage, or holds damaged or foreign files; what the signal was aborted
   * with.
   */
  static async load(folder: string, options: LoadOptions = {}): Promise<Generator> {
    const { clip: other, offline, signal, onProgress, ...engineOptions } = options;
    signal?.throwIfAborted();
    const run = RunDirectory.open(folder);
    // A model that does not load ends the fetching of its CLIP.
    const stop = new AbortController();
    const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const onPart = (part: LoadProgress['part']) => (done: number, total: number) => onProgress?.({ part, done, total });
    const opening = openRunClip(run, {
      ...engineOptions,
      clip: other,
      offline,
      signal: either,
      onProgress: onPart('clip'),
    });
    const engine = Engine.start(engineOptions);
    const loading = loadModel(run, engine, signal, onPart('weights'));
    loading.catch(() => stop.abort());
    const [clip, model] = await Promise.allSettled([opening, loading]);
    try {
      if (model.status === 'rejected') throw model.reason;
      if (clip.status === 'rejected') throw clip.reason;
      signal?.throwIfAborted();
      checkMadeFrom(run, run.denoiserStage, clip.value.id);
      checkWidths(run, clip.value, model.value.model);
      return new Generator(run, engine, clip.value, model.value.model, model.value.hash);
    } catch (error) {
      await Promise.all([clip.status === 'fulfilled' && clip.value.close(), engine.close()]);
      throw error;
    }
  }

  get recipe(): Recipe {
    return this.run.settings.recipe;
  }

  /**
   * Pictures for a prompt or for prompts, prompt by prompt: [prompts · count].
   * @throws UserError if a prompt is empty or longer than the CLIP's context, or an option is unknown, out of its range
   * or none of the sampler's.
   */
  async generate(prompts: string | readonly string[], options: GenerateOptions = {}): Promise<GeneratedImage[]> {
    const all: GeneratedImage[] = [];
    for await (const picture of this.pictures(prompts, options)) all.push(picture);
    return all;
  }

  /**
   * The same pictures one after another, as they are finished: no more of them are in memory than are drawn together.
   */
  async *pictures(
    prompts: string | readonly string[],
    options: GenerateOptions = {},
  ): AsyncGenerator<GeneratedImage, void> {
    const request = requestOf(prompts, options, this.recipe, ['bestOf']);
    yield* request.bestOf > 1
      ? bestOfEach(request.bestOf, this.candidates(request, options))
      : this.candidates(request, options);
  }

  private async *candidates(request: Request, options: GenerateOptions): AsyncGenerator<GeneratedImage, void> {
    const { texts, conditions, negative } = await this.embedded(request);
    const { settings } = request;
    const total = Math.ceil(request.total / BATCH) * settings.steps;
    for (let start = 0; start < request.total; start += BATCH) {
      const wanted = request.batch(start, BATCH);
      const done = (start / BATCH) * settings.steps;
      const drawn = await this.model.draw(this.conditionsOf(wanted, conditions), {
        settings,
        seeds: wanted.map(({ seed }) => seed),
        customSampler: options.customSampler,
        negative,
        signal: options.signal,
        onStep: ({ step }) => options.onProgress?.(done + step, total),
      });
      yield* await this.finished(request, wanted, texts, drawn);
    }
  }

  /**
   * Draw the pictures of one prompt step by step: a frame for each step, as soon as the next one is wanted. Leaving the
   * iteration, or the signal, ends the drawing at the next step.
   * @throws UserError as `generate` does, and for more than 16 pictures.
   */
  async *stream(prompt: string, options: StreamOptions = {}): AsyncGenerator<StreamFrame, void> {
    const { preview, signal, onProgress } = options;
    const request = requestOf(prompt, options, this.recipe, ['preview']);
    const { total, settings } = request;
    if (total > BATCH)
      throw new UserError(`stream draws at most ${BATCH} pictures at once, not ${total}: use a smaller count`);
    const wanted = request.batch(0, BATCH);
    const { texts, conditions, negative } = await this.embedded(request);
    const seeds = wanted.map(({ seed }) => seed);
    for await (const frame of this.model.frames(this.conditionsOf(wanted, conditions), {
      settings,
      seeds,
      customSampler: options.customSampler,
      negative,
      preview,
      signal,
    })) {
      onProgress?.(frame.step, frame.steps);
      const isLast = frame.step === frame.steps;
      yield { ...frame, pictures: isLast ? await this.finished(request, wanted, texts, frame) : undefined };
    }
  }

  /** Codes a picture. */
  get tokens(): number {
    return this.model.tokens;
  }

  /**
   * The most likely codes of pictures of the model's size, [images, tokens].
   * @throws UserError for pictures of another size.
   */
  async encode(images: readonly RgbImage[]): Promise<Int32Array> {
    checkPictures(images, this.recipe.imageSize);
    this.encoder ??= openRunEncoder(this.run, this.engine);
    return this.encoder.encode(packImages(images));
  }

  /**
   * Pictures from codes [images, tokens].
   * @throws UserError for a length that is no whole number of pictures, or a code that this model does not have.
   */
  decode(codes: Int32Array): Promise<RgbImage[]> {
    return this.model.decode(codes);
  }

  /**
   * A PNG that remembers how it was made: prompt, seed, settings and model hash are in its text chunks. The same
   * picture gives the same bytes.
   */
  toPng(picture: GeneratedImage): Promise<Buffer> {
    return encodePng(picture.image, provenanceTexts(picture, this.hash, version));
  }

  async close(): Promise<void> {
    await Promise.all([this.clip.close(), this.engine.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Unit rows of the prompts, [prompts, dim]; the same as the model is given them, corrected; and the negative prompt
   * so.
   */
  private async embedded({ prompts, negative, settings: { correction } }: Request): Promise<Embedded> {
    if (correction !== 'none') this.statistics ??= readStatistics(this.run, correction, this.clip.dim);
    const { promptPrefix } = this.recipe.sampling;
    const all = negative === undefined ? prompts : [...prompts, negative];
    const rows = await this.clip.embedTexts(all.map((prompt) => promptPrefix + prompt));
    const corrected = this.statistics ? correctTexts(rows, correction, this.statistics) : rows;
    const end = prompts.length * this.clip.dim;
    return {
      texts: rows.subarray(0, end),
      conditions: corrected.subarray(0, end),
      negative: negative === undefined ? undefined : corrected.slice(end),
    };
  }

  private conditionsOf(wanted: readonly Wanted[], texts: Float32Array): Float32Array {
    return takeRows(
      texts,
      this.clip.dim,
      wanted.map(({ prompt }) => prompt),
    );
  }

  private async finished(
    { prompts, negative, settings }: Request,
    wanted: readonly Wanted[],
    texts: Float32Array,
    { tokens, passes }: Drawn,
  ): Promise<GeneratedImage[]> {
    const images = await this.model.decode(tokens);
    const owners = wanted.map(({ prompt }) => prompt);
    const scores = ownScores(await this.clip.embedImages(images), texts, owners, this.clip.dim);
    return images.map((image, i) => ({
      image,
      tokens: tokens.slice(i * this.tokens, (i + 1) * this.tokens),
      prompt: prompts[wanted[i]!.prompt]!,
      negative,
      seed: wanted[i]!.seed,
      clipScore: scores[i]!,
      meanClipScore: scores[i]!,
      settings,
      passes,
    }));
  }
}

/** Of every `count` pictures the one with the highest CLIP score, the first of equals. */
async function* bestOfEach(
  count: number,
  candidates: AsyncIterable<GeneratedImage>,
): AsyncGenerator<GeneratedImage, void> {
  let best: GeneratedImage | undefined;
  let [sum, seen] = [0, 0];
  for await (const candidate of candidates) {
    if (!best || candidate.clipScore > best.clipScore) best = candidate;
    sum += candidate.clipScore;
    if (++seen < count) continue;
    yield { ...best, meanClipScore: sum / count };
    [best, sum, seen] = [undefined, 0, 0];
  }
}

function checkWidths(run: RunDirectory, clip: ClipEmbedder, { conditionDim }: PictureModel): void {
  if (clip.dim !== conditionDim)
    throw new UserError(
      `${run.path} was trained with a CLIP of width ${conditionDim}; this one gives ${clip.dim} numbers: give the one it was trained with`,
    );
}

async function loadModel(
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
  const model = await PictureModel.load({ executor, recipe, tokenizer, denoiser, seed, signal, onProgress });
  return { model, hash: run.modelHash() };
}
