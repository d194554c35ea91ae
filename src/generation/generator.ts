/** The public face: load a trained model, make pictures from prompts, encode and reconstruct pictures. */

import { createRequire } from 'node:module';
import { UserError } from '../base/errors.ts';
import type { NDArray } from '../base/ndarray.ts';
import { leaves } from '../base/tree.ts';
import { ownScores } from '../clip/cosine.ts';
import type { ClipEmbedder } from '../clip/embedder.ts';
import { fromPlanar, packImages, type RgbImage } from '../data/pictures/image.ts';
import { encodePng } from '../data/pictures/png.ts';
import { guidanceAt } from '../diffusion/guidance.ts';
import { DenoiserPool, scheduleOf, transformerConfig } from '../diffusion/model.ts';
import { refuseUnused, samplers } from '../diffusion/samplers/index.ts';
import type { Schedule } from '../diffusion/schedule.ts';
import { diffusionParameters } from '../diffusion/transformer.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import { adopt } from '../nn/parameters.ts';
import { checkSampling, type Recipe, type SamplingSettings } from '../recipe/schema.ts';
import { RunDirectory } from '../run/directory.ts';
import { openRunClip, openRunCodec } from '../run/models.ts';
import type { Codec } from '../vqgan/codec.ts';

export type { RgbImage } from '../data/pictures/image.ts';
export type { SamplerName } from '../diffusion/samplers/index.ts';
export type { EngineOptions } from '../engine/engine.ts';

const { version } = createRequire(import.meta.url)('clip-vqdiffusion/package.json') as { version: string };

/** Pictures sampled together. */
const BATCH = 16;

/** How pictures are drawn: the sampling settings of a recipe, but for those that belong to the model. */
export type SamplingChoice = Omit<SamplingSettings, 'promptPrefix' | 'nullEmbedding'>;

type Optional<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** What is not said of sampling is as the recipe has it. */
export interface GenerateOptions extends Optional<SamplingChoice> {
  /** Pictures a prompt. */
  readonly count?: number | undefined;
  /**
   * Seed of a prompt's first picture, or of each prompt's; picture i has seed + i. The same seed, prompt and settings give the
   * same picture.
   */
  readonly seed?: number | readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears of sampling steps done, over all batches. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Passes of the network that a picture took, counted as they were made. */
export interface Passes {
  readonly conditional: number;
  /** With the null condition, for guidance. */
  readonly unconditional: number;
}

export interface GeneratedImage {
  readonly image: RgbImage;
  readonly prompt: string;
  readonly seed: number;
  /** Cosine of the picture with its prompt under the CLIP that conditioned it, in [-1, 1]. */
  readonly clipScore: number;
  readonly settings: SamplingChoice;
  readonly passes: Passes;
}

export class Generator {
  private constructor(
    private readonly run: RunDirectory,
    private readonly engine: Engine,
    /** The CLIP that drives the model. */
    readonly clip: ClipEmbedder,
    private readonly codec: Codec,
    private readonly denoisers: DenoiserPool,
    private readonly schedule: Schedule,
    /** Identity of the weights and the recipe, 16 hex digits. */
    readonly hash: string,
  ) {}

  /**
   * Load a run directory.
   * @throws UserError if it is not one, lacks a stage, or holds damaged or foreign files.
   */
  static async load(folder: string, options: EngineOptions = {}): Promise<Generator> {
    const run = RunDirectory.open(folder);
    const { recipe } = run.settings;
    const stage = run.denoiserStage;
    const { tensors } = run.readModel(stage);
    const hash = run.modelHash();
    const clip = await openRunClip(run, options);
    const engine = Engine.start(options);
    try {
      const codec = await openRunCodec(run, engine);
      const config = transformerConfig(recipe, clip.dim);
      const params = adopt(diffusionParameters(config), tensors, run.file(stage, 'model.safetensors'));
      const denoisers = await DenoiserPool.create(
        engine,
        config,
        leaves<NDArray>(params),
        recipe.sampling.nullEmbedding,
      );
      return new Generator(run, engine, clip, codec, denoisers, scheduleOf(recipe), hash);
    } catch (error) {
      await Promise.all([clip.close(), engine.close()]);
      throw error;
    }
  }

  get recipe(): Recipe {
    return this.run.settings.recipe;
  }

  /**
   * Pictures for prompts, prompt by prompt: [prompts · count].
   * @throws UserError if a prompt is empty or longer than the CLIP's context, or an option is out of its range or none of the
   * sampler's.
   */
  async generate(prompts: readonly string[], options: GenerateOptions = {}): Promise<GeneratedImage[]> {
    const { count = 1, seed = 0 } = options;
    const defaults = this.recipe.sampling;
    const { promptPrefix, nullEmbedding, ...recipe } = defaults;
    const chosen = Object.entries(options).filter(([name, value]) => name in recipe && value !== undefined);
    const settings: SamplingChoice = { ...recipe, ...Object.fromEntries(chosen) };
    checkSampling({ ...defaults, ...settings }, 'sampling');
    refuseUnused(settings.sampler, Object.fromEntries(chosen));
    if (typeof seed !== 'number' && seed.length !== prompts.length)
      throw new RangeError(`${seed.length} seeds for ${prompts.length} prompts`);
    const empty = prompts.findIndex((prompt) => prompt.trim() === '');
    if (empty >= 0) throw new UserError(`Prompt ${empty + 1} is empty: say what to make`);
    const texts = await this.clip.embedTexts(prompts.map((prompt) => promptPrefix + prompt));
    const first = (p: number) => (typeof seed === 'number' ? seed : seed[p]!);
    const wanted = prompts.flatMap((_, p) =>
      Array.from({ length: count }, (_, i) => ({ prompt: p, seed: first(p) + i })),
    );

    const images: RgbImage[] = [];
    const passes: Passes[] = [];
    const total = Math.ceil(wanted.length / BATCH) * settings.steps;
    for (let start = 0; start < wanted.length; start += BATCH) {
      const part = wanted.slice(start, start + BATCH);
      const done = (start / BATCH) * settings.steps;
      const drawn = await this.sample(part, texts, settings, {
        signal: options.signal,
        onStep: (step) => options.onProgress?.(done + step, total),
      });
      images.push(...(await this.decode(drawn.tokens)));
      passes.push(...part.map(() => drawn.passes));
    }
    const embedded = await this.clip.embedImages(images);
    const scores = ownScores(
      embedded,
      texts,
      wanted.map(({ prompt }) => prompt),
      this.clip.dim,
    );
    return images.map((image, i) => ({
      image,
      prompt: prompts[wanted[i]!.prompt]!,
      seed: wanted[i]!.seed,
      clipScore: scores[i]!,
      settings,
      passes: passes[i]!,
    }));
  }

  /** Codes a picture. */
  get tokens(): number {
    return this.codec.tokens;
  }

  /** The most likely codes of pictures of the model's size, [images, tokens]. */
  encode(images: readonly RgbImage[]): Promise<Int32Array> {
    return this.codec.encode(packImages(images));
  }

  /** Pictures from codes [images, tokens]. */
  async decode(codes: Int32Array): Promise<RgbImage[]> {
    const { imageSize } = this.recipe;
    return fromPlanar(await this.codec.decode(codes), codes.length / this.tokens, imageSize, imageSize);
  }

  /** A PNG that remembers how it was made: prompt, seed, settings and model hash are in its text chunks. The same picture gives the same bytes. */
  toPng({ image, prompt, seed, settings }: GeneratedImage): Promise<Buffer> {
    return encodePng(image, {
      Software: `clip-vqdiffusion ${version}`,
      Prompt: prompt,
      Seed: `${seed}`,
      Settings: JSON.stringify(settings),
      Model: this.hash,
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.clip.close(), this.engine.close()]);
  }

  private async sample(
    wanted: readonly { prompt: number; seed: number }[],
    texts: Float32Array,
    settings: SamplingChoice,
    { signal, onStep }: { signal: AbortSignal | undefined; onStep: (step: number) => void },
  ): Promise<{ readonly tokens: Int32Array; readonly passes: Passes }> {
    const { dim } = this.clip;
    const conditions = new Float32Array(wanted.length * dim);
    wanted.forEach(({ prompt }, i) => {
      conditions.set(texts.subarray(prompt * dim, (prompt + 1) * dim), i * dim);
    });
    const { sampler, steps, truncation, placement, remasking } = settings;
    const total = this.schedule.steps;
    const passes = { conditional: 0, unconditional: 0 };
    const denoise = await this.denoisers.denoiser(
      conditions,
      (t) => guidanceAt(settings, t, total),
      (guided) => {
        passes.conditional++;
        if (guided) passes.unconditional++;
      },
    );
    const tokens = await samplers[sampler](denoise, {
      schedule: this.schedule,
      batch: wanted.length,
      tokens: this.tokens,
      steps,
      placement,
      remasking,
      truncation: truncation < 1 ? truncation : undefined,
      noise: { seed: this.run.settings.seed, samples: wanted.map(({ seed }) => seed) },
      onStep: ({ step }) => onStep(step),
      ...(signal && { signal }),
    });
    return { tokens, passes };
  }
}
