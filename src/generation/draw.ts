/**
 * From embedded prompts to pictures, on whatever executes programs. This file and all that it imports run on any
 * platform (`test/platform-free.test.ts`); what opens files, embeds prompts and encodes PNG stands in `generator.ts`.
 */

import type { NDArray } from '../base/ndarray.ts';
import { leaves } from '../base/tree.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { guidanceAt } from '../diffusion/guidance.ts';
import { DenoiserPool, scheduleOf, transformerConfig } from '../diffusion/model.ts';
import type { Schedule } from '../diffusion/process/schedule.ts';
import { drawTokens } from '../diffusion/samplers/index.ts';
import { keeping } from '../diffusion/samplers/keep.ts';
import type { Sampler, SamplerProgress } from '../diffusion/samplers/sampler.ts';
import { diffusionParameters } from '../diffusion/transformer.ts';
import type { Executor } from '../engine/executor.ts';
import { adopt } from '../nn/parameters.ts';
import type { Recipe } from '../recipe/schema.ts';
import { type Decoder, makeDecoder } from '../vqgan/codec.ts';
import { decodePictures } from './codes.ts';
import type { SamplingChoice } from './options.ts';
import { reportsOf } from './reports.ts';
import { chainFrom, chainLength, type StartCodes } from './start.ts';

/** Trained parameters under their dotted paths, and what messages call the files that they came from. */
export interface Weights {
  readonly label: string;
  readonly tensors: Readonly<Record<string, NDArray>>;
}

/** The weights of a model, and what executes its programs. */
export interface PictureModelOptions {
  readonly executor: Executor;
  readonly recipe: Recipe;
  /** Of the tokenizer; the parts of the decoder are enough. */
  readonly tokenizer: Weights;
  readonly denoiser: Weights;
  /** Whether the denoiser's arrays are not needed any more: they may be empty afterwards. */
  readonly handOver?: boolean | undefined;
  /** The run's seed: with a picture's own seed it settles all noise. */
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  /** Called as the denoiser's weights are handed over. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** How a batch of pictures is drawn. */
export interface DrawOptions {
  readonly settings: SamplingChoice;
  /** The seed of each picture; as many as there are conditions. */
  readonly seeds: readonly number[];
  /** Codes to go on from, the same for all pictures. */
  readonly start?: StartCodes | undefined;
  /** Draws in the place of the sampler that the settings name. */
  readonly customSampler?: Sampler | undefined;
  /** A unit row [conditionDim] in the place of the null condition. */
  readonly negative?: Float32Array | undefined;
  /** Checked before every step. */
  readonly signal?: AbortSignal | undefined;
  /** Called after every step, and awaited before the next. */
  readonly onStep?: ((progress: DrawProgress) => unknown) | undefined;
}

/** Passes of the network that a picture took, counted as they were made. */
export interface Passes {
  readonly conditional: number;
  /** With the null condition, for guidance. */
  readonly unconditional: number;
}

/** A step of a batch that is being drawn. */
export interface DrawProgress extends SamplerProgress {
  /** Passes up to this step. */
  readonly passes: Passes;
}

/** Codes, and what they took. */
export interface Drawn {
  /** Codes, [pictures, tokens]. */
  readonly tokens: Int32Array<ArrayBuffer>;
  readonly passes: Passes;
}

/**
 * Pictures on their way, after a sampling step: their codes are K, the number of codes, where a place is still masked.
 */
export interface Frame extends Drawn {
  /** Steps done, 1 .. steps. */
  readonly step: number;
  readonly steps: number;
  /** 1 where a place is still masked, [pictures, tokens]. */
  readonly masked: Uint8Array;
  /** With `preview`, the pictures as they would be with the likeliest code in every masked place. */
  readonly preview: readonly RgbImage[] | undefined;
}

/** A trained model that draws. */
export class PictureModel {
  private constructor(
    readonly recipe: Recipe,
    /** Width of the embeddings that it is conditioned on. */
    readonly conditionDim: number,
    private readonly decoder: Decoder,
    private readonly denoisers: DenoiserPool,
    private readonly schedule: Schedule,
    private readonly seed: number,
  ) {}

  /**
   * Hand a model's weights to an executor. Programs are compiled when they are first needed.
   * @throws UserError naming the weights that are not those of the recipe; what the signal was aborted with.
   */
  static async load(options: PictureModelOptions): Promise<PictureModel> {
    const { executor, recipe, tokenizer, denoiser, handOver, seed, signal, onProgress } = options;
    const decoder = makeDecoder(executor, tokenizer.tensors, recipe, tokenizer.label);
    const conditionDim = denoiser.tensors.empty_text_embed?.shape.at(-1) ?? 1;
    const config = transformerConfig(recipe, conditionDim);
    const params = leaves<NDArray>(adopt(diffusionParameters(config), denoiser.tensors, denoiser.label));
    function* watched() {
      for (const [i, param] of params.entries()) {
        signal?.throwIfAborted();
        onProgress?.(i, params.length);
        yield param;
      }
    }
    const denoisers = await DenoiserPool.create(executor, config, watched(), recipe.sampling.nullEmbedding, handOver);
    onProgress?.(params.length, params.length);
    return new PictureModel(recipe, conditionDim, decoder, denoisers, scheduleOf(recipe), seed);
  }

  /** Codes a picture. */
  get tokens(): number {
    return this.decoder.tokens;
  }

  /** Steps that pictures take: those of the settings, or fewer where they go on from a picture. */
  steps(settings: SamplingChoice, start?: Pick<StartCodes, 'strength'>): number {
    return chainLength(settings, start?.strength ?? 1, { times: this.schedule.steps, tokens: this.tokens }).steps;
  }

  /**
   * Draw codes for conditions, unit rows [pictures, conditionDim], all in one batch.
   * @throws RangeError if there are not as many conditions as seeds; what the signal was aborted with.
   */
  async draw(
    conditions: Float32Array,
    { settings, seeds, start, customSampler, negative, signal, onStep }: DrawOptions,
  ): Promise<Drawn> {
    if (conditions.length !== seeds.length * this.conditionDim)
      throw new RangeError(
        `${conditions.length} numbers are not ${seeds.length} conditions of ${this.conditionDim}, one for each seed`,
      );
    const { truncation } = settings;
    const noise = { seed: this.seed, samples: seeds };
    const { schedule, steps, known } = chainFrom(start, settings, this.schedule, this.tokens, noise);
    const total = this.schedule.steps;
    const passes = { conditional: 0, unconditional: 0 };
    const denoise = await this.denoisers.denoiser(
      conditions,
      (t) => guidanceAt(settings, t, total),
      (guided) => {
        passes.conditional++;
        if (guided) passes.unconditional++;
      },
      negative,
    );
    const samplerOptions = {
      schedule,
      batch: seeds.length,
      tokens: this.tokens,
      steps,
      truncation: truncation < 1 ? truncation : undefined,
      noise,
      ...(onStep && { onStep: (progress: SamplerProgress) => onStep({ ...progress, passes: { ...passes } }) }),
      ...(signal && { signal }),
    };
    const sampler: Sampler = customSampler ?? ((...chain) => drawTokens(settings, ...chain));
    const tokens = await (known ? keeping(sampler, known) : sampler)(denoise, samplerOptions);
    return { tokens, passes };
  }

  /**
   * Draw step by step: one frame for each, the last without a mask; the next step begins when the next frame is wanted.
   * Leaving the iteration ends the drawing.
   */
  frames(
    conditions: Float32Array,
    { preview = false, signal, ...options }: Omit<DrawOptions, 'onStep'> & { readonly preview?: boolean | undefined },
  ): AsyncGenerator<Frame, void> {
    return reportsOf<Frame>((report, ended) =>
      this.draw(conditions, {
        ...options,
        signal: signal ? AbortSignal.any([signal, ended]) : ended,
        onStep: async (progress) => report(await this.frameOf(progress, preview)),
      }),
    );
  }

  /**
   * Pictures from codes [pictures, tokens].
   * @throws UserError for a length that is no whole number of pictures, or a code that this model does not have.
   */
  decode(codes: Int32Array): Promise<RgbImage[]> {
    return decodePictures(this.decoder, codes, this.recipe);
  }

  private async frameOf(progress: DrawProgress, preview: boolean): Promise<Frame> {
    const { step, steps, tokens, prediction, passes } = progress;
    const { codes } = this.recipe.tokenizer;
    const masked = Uint8Array.from(tokens, (token) => (token === codes ? 1 : 0));
    const filled = preview && tokens.map((token, i) => (token === codes ? likeliest(prediction, i, codes) : token));
    return { step, steps, tokens, passes, masked, preview: filled ? await this.decode(filled) : undefined };
  }
}

/** The code with the largest log-probability in row `row` of [rows, codes]. */
function likeliest(logProbs: Float32Array, row: number, codes: number): number {
  let best = 0;
  for (let k = 1; k < codes; k++) if (logProbs[row * codes + k]! > logProbs[row * codes + best]!) best = k;
  return best;
}
