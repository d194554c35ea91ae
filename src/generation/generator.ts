/** Load a trained model, make pictures from prompts, encode and reconstruct pictures. */

import { UserError } from '../base/errors.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { encodePng } from '../data/pictures/png.ts';
import { ownScores } from '../embedding/cosine.ts';
import type { ClipEmbedder } from '../embedding/embedder.ts';
import { Engine } from '../engine/engine.ts';
import { packageVersion } from '../files/own-package.ts';
import { ALONE, type Ranks } from '../mpi/ranks.ts';
import type { Recipe } from '../recipe/schema.ts';
import { RunDirectory } from '../run/directory.ts';
import { checkMadeFrom } from '../run/lineage.ts';
import { openRunClip, openRunEncoder } from '../run/models.ts';
import type { Encoder } from '../vqgan/codec.ts';
import { bestOfEach } from './choosing.ts';
import { encodePictures } from './codes.ts';
import type { Condition } from './conditions.ts';
import type { Drawn, PictureModel } from './draw.ts';
import {
  type GeneratedImage,
  generatedImages,
  type InterpolateOptions,
  type StreamFrame,
  type StreamOptions,
} from './generated.ts';
import { checkWidths, type LoadOptions, type LoadProgress, loadModel } from './load.ts';
import { type GenerateOptions, type Request, requestOf, type Wanted } from './options.ts';
import { Prompts } from './prompts.ts';
import { provenanceTexts } from './provenance.ts';
import { type DrawnBatch, gatherBatches } from './shared-batches.ts';
import type { StartCodes } from './start.ts';
import type { UsualScore } from './usual-scores.ts';

export type { RgbImage } from '../data/pictures/image.ts';
export type { SamplerName } from '../diffusion/samplers/index.ts';
export type { EngineOptions } from '../engine/engine.ts';
export {
  type BetweenCondition,
  type Condition,
  type EmbeddingCondition,
  type MixCondition,
  nameOf,
  type PictureCondition,
} from './conditions.ts';
export type { Drawn, Frame, Passes } from './draw.ts';
export type { GeneratedImage, InterpolateOptions, StreamFrame, StreamOptions } from './generated.ts';
export type { LoadOptions, LoadProgress } from './load.ts';
export type { GenerateOptions, SamplingChoice, SamplingOptions } from './options.ts';
export type { Edit } from './provenance.ts';
export type { StartPicture } from './start.ts';
export type { UsualScore } from './usual-scores.ts';

const version = packageVersion();

/** Pictures sampled together. */
const BATCH = 16;

/**
 * A trained model on this machine: a run directory with its CLIP and an engine. Close it when it is not needed any
 * more.
 */
export class Generator {
  private encoder: Encoder | undefined;
  private readonly prompts: Prompts;

  private constructor(
    private readonly run: RunDirectory,
    private readonly engine: Engine,
    /** The CLIP that drives the model. */
    readonly clip: ClipEmbedder,
    private readonly model: PictureModel,
    /** Identity of the weights and the recipe, 16 hex digits. */
    readonly hash: string,
    private readonly ranks: Ranks,
  ) {
    this.prompts = new Prompts(run, clip);
  }

  /**
   * Load a run directory. The CLIP and the engine start at the same time.
   * @throws UserError if it is not one, lacks a stage, or holds damaged or foreign files; what the signal was aborted
   * with.
   */
  static async load(folder: string, options: LoadOptions = {}): Promise<Generator> {
    options.signal?.throwIfAborted();
    return Generator.open(RunDirectory.open(folder), options);
  }

  /** The same for a run that is open. @internal */
  static async open(run: RunDirectory, options: LoadOptions = {}): Promise<Generator> {
    const { clip: other, offline, signal, onProgress, ranks = ALONE, ...engineOptions } = options;
    signal?.throwIfAborted();
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
      return new Generator(run, engine, clip.value, model.value.model, model.value.hash, ranks);
    } catch (error) {
      await Promise.all([clip.status === 'fulfilled' && clip.value.close(), engine.close()]);
      throw error;
    }
  }

  get recipe(): Recipe {
    return this.run.settings.recipe;
  }

  /**
   * Pictures for a prompt or for prompts, prompt by prompt: [prompts · count]. A prompt may be a text, a picture, an
   * embedding, or a mix.
   * @throws UserError if a prompt is empty or longer than the CLIP's context, or an option is unknown, out of its range
   * or none of the sampler's.
   */
  async generate(prompts: Condition | readonly Condition[], options: GenerateOptions = {}): Promise<GeneratedImage[]> {
    const all: GeneratedImage[] = [];
    for await (const picture of this.pictures(prompts, options)) all.push(picture);
    return all;
  }

  /**
   * The same pictures one after another, as they are finished: no more of them are in memory than are drawn together.
   */
  async *pictures(
    prompts: Condition | readonly Condition[],
    options: GenerateOptions = {},
  ): AsyncGenerator<GeneratedImage, void> {
    const request = requestOf(prompts, options, this.recipe, ['bestOf']);
    yield* request.bestOf > 1
      ? bestOfEach(request.bestOf, this.candidates(request, options))
      : this.candidates(request, options);
  }

  /**
   * Pictures on the way from one condition to another, at even distances on the arc between them, all of one seed.
   * @throws UserError as `generate` does, for fewer than two frames, and for conditions that are opposites.
   */
  interpolate(
    from: Condition,
    to: Condition,
    { frames = 8, ...options }: InterpolateOptions = {},
  ): AsyncGenerator<GeneratedImage, void> {
    if (!Number.isSafeInteger(frames) || frames < 2)
      throw new UserError(`frames is ${String(frames)}: give a whole number from 2, both ends included`);
    const between = [from, to] as const;
    return this.pictures(
      Array.from({ length: frames }, (_, i) => ({ between, at: i / (frames - 1) })),
      options,
    );
  }

  private async *candidates(request: Request, options: GenerateOptions): AsyncGenerator<GeneratedImage, void> {
    const { targets, negative, rows } = await this.prompts.embed(request);
    const { settings } = request;
    const start = await this.startOf(request);
    const steps = this.model.steps(settings, start);
    const total = Math.ceil(request.total / BATCH) * steps;
    const { ranks } = this;
    // Each rank draws a batch of a round, and gives the pictures of all.
    for (let round = 0; round < request.total; round += ranks.size * BATCH) {
      const first = round + ranks.rank * BATCH;
      const done = (first / BATCH) * steps;
      const wanted = request.batch(first, BATCH);
      const draw = async () =>
        this.model.draw(rows(wanted), {
          settings,
          seeds: wanted.map(({ seed }) => seed),
          start,
          customSampler: options.customSampler,
          negative,
          signal: options.signal,
          onStep: ({ step }) => options.onProgress?.(done + step, total),
        });
      const own = first < request.total ? await this.measured(wanted, targets, await draw()) : undefined;
      for (const [i, batch] of (await gatherBatches(ranks, own)).entries())
        yield* generatedImages(request, request.batch(round + i * BATCH, BATCH), start, batch);
    }
  }

  /**
   * Draw the pictures of one prompt step by step: a frame for each step, as soon as the next one is wanted. Leaving the
   * iteration, or the signal, ends the drawing at the next step.
   * @throws UserError as `generate` does, and for more than 16 pictures.
   */
  async *stream(prompt: Condition, options: StreamOptions = {}): AsyncGenerator<StreamFrame, void> {
    const { preview, signal, onProgress } = options;
    const request = requestOf(prompt, options, this.recipe, ['preview']);
    const { total, settings } = request;
    if (total > BATCH)
      throw new UserError(`stream draws at most ${BATCH} pictures at once, not ${total}: use a smaller count`);
    const wanted = request.batch(0, BATCH);
    const { targets, negative, rows } = await this.prompts.embed(request);
    const start = await this.startOf(request);
    const seeds = wanted.map(({ seed }) => seed);
    for await (const frame of this.model.frames(rows(wanted), {
      settings,
      seeds,
      start,
      customSampler: options.customSampler,
      negative,
      preview,
      signal,
    })) {
      onProgress?.(frame.step, frame.steps);
      const isLast = frame.step === frame.steps;
      yield {
        ...frame,
        pictures: isLast ? await this.finished(request, wanted, { targets, start }, frame) : undefined,
      };
    }
  }

  /**
   * What pictures that the model has learned from score with prompts, whatever they show: a scale for `clipScore`.
   * Undefined for a model that keeps no statistics of them.
   */
  usualScores(prompts: readonly string[]): Promise<readonly UsualScore[] | undefined> {
    return this.prompts.usualScores(prompts);
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
    this.encoder ??= openRunEncoder(this.run, this.engine);
    return encodePictures(this.encoder, images, this.recipe);
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
  async toPng(picture: GeneratedImage): Promise<Buffer> {
    return Buffer.from((await encodePng(picture.image, provenanceTexts(picture, this.hash, version))).buffer);
  }

  async close(): Promise<void> {
    await Promise.all([this.clip.close(), this.engine.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async startOf({ start }: Request): Promise<StartCodes | undefined> {
    return start && { ...start, codes: await this.encode([start.picture]) };
  }

  private async finished(
    request: Request,
    wanted: readonly Wanted[],
    { targets, start }: { readonly targets: Float32Array; readonly start: StartCodes | undefined },
    drawn: Drawn,
  ): Promise<GeneratedImage[]> {
    return generatedImages(request, wanted, start, await this.measured(wanted, targets, drawn));
  }

  private async measured(
    wanted: readonly Wanted[],
    targets: Float32Array,
    { tokens, passes }: Drawn,
  ): Promise<DrawnBatch> {
    const images = await this.model.decode(tokens);
    const owners = wanted.map(({ prompt }) => prompt);
    const scores = ownScores(await this.clip.embedImages(images), targets, owners, this.clip.dim);
    return { images, tokens, scores, passes };
  }
}
