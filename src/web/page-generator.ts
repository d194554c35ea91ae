/**
 * The generator of a page: prompts to pictures with a page model, on any executor. It draws one picture at a time: the
 * same few programs serve any number of pictures, and memory does not grow.
 */

import type { RgbImage } from '../data/pictures/image.ts';
import { encodePng } from '../data/pictures/png.ts';
import { correctTexts, type EmbeddingStatistics } from '../embedding/correction.ts';
import type { Executor } from '../engine/executor.ts';
import { type Frame, PictureModel } from '../generation/draw.ts';
import { embedConditions, pictureRows } from '../generation/embedding.ts';
import { type GenerateOptions, requestOf } from '../generation/options.ts';
import { provenanceTexts } from '../generation/provenance.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { PageModel } from './page-model.ts';
import { PageTexts } from './text-tower.ts';

/** What a page may choose; the rest is as the model's recipe says. */
export type PageOptions = Pick<
  GenerateOptions,
  'count' | 'seed' | 'steps' | 'guidanceScale' | 'sampler' | 'negative' | 'signal'
>;

/** A step of one of the pictures. */
export interface PageFrame extends Pick<Frame, 'step' | 'steps' | 'masked'> {
  /** Which of the pictures it is, from 0. */
  readonly index: number;
  readonly seed: number;
  /** As it would be with the likeliest code in every masked place. */
  readonly preview: RgbImage;
  /** With the last step: the picture as a file that says how it was made, and its codes. */
  readonly finished: { readonly png: Uint8Array<ArrayBuffer>; readonly tokens: Int32Array } | undefined;
}

export class PageGenerator {
  private constructor(
    private readonly page: PageModel,
    private readonly model: PictureModel,
    private readonly texts: PageTexts,
  ) {}

  /** @throws UserError if the model is damaged; what the signal was aborted with. */
  static async load(page: PageModel, executor: Executor, signal?: AbortSignal): Promise<PageGenerator> {
    const { recipe, seed, parts } = page;
    const label = 'The model of this page';
    const texts = new PageTexts(executor, page);
    const model = await PictureModel.load({
      executor,
      recipe,
      seed,
      signal,
      tokenizer: { label, tensors: parts.decoder },
      denoiser: { label, tensors: parts.denoiser },
    });
    return new PageGenerator(page, model, texts);
  }

  get recipe(): Recipe {
    return this.page.recipe;
  }

  /** Words of a prompt that the model has never met. */
  unknownWords(prompt: string): readonly string[] {
    return this.texts.unknownWords(prompt);
  }

  /** Compile what a first picture needs, before anybody wants one. */
  async prepare(): Promise<void> {
    for await (const _ of this.draw('a', { steps: 1, count: 1, seed: 0 }));
  }

  /**
   * Pictures for a prompt, one after another, each step by step: a frame for each step, as soon as the next one is
   * wanted. Leaving the iteration, or the signal, ends the drawing at the next step.
   * @throws UserError if the prompt is empty or too long, or an option out of its range.
   */
  async *draw(prompt: string, { signal, ...options }: PageOptions = {}): AsyncGenerator<PageFrame, void> {
    const request = requestOf(prompt, options, this.recipe);
    const { settings, total } = request;
    const statistics = this.statistics();
    const { conditions, negative } = await embedConditions(request.conditions, {
      clip: { dim: this.texts.dim, embedTexts: (texts) => this.texts.embedTexts(texts), embedImages: noPictures },
      prefix: this.recipe.sampling.promptPrefix,
      correct: (rows) => correctTexts(rows, settings.correction, statistics),
      negative: request.negative,
    });
    for (const [index, wanted] of request.batch(0, total).entries()) {
      const { seed } = wanted;
      const rows = pictureRows([wanted], conditions, request, statistics);
      const frames = this.model.frames(rows, { settings, seeds: [seed], negative, preview: true, signal });
      for await (const { step, steps, masked, tokens, preview } of frames) {
        const image = preview![0]!;
        const file = async () => ({
          png: await encodePng(
            image,
            provenanceTexts(
              { image, prompt, negative: request.negative, seed, settings },
              this.page.hash,
              this.page.version,
            ),
          ),
          tokens,
        });
        yield { index, seed, step, steps, masked, preview: image, finished: step === steps ? await file() : undefined };
      }
    }
  }

  /** Those of the model; where it has none, the correction `none` does without. */
  private statistics(): EmbeddingStatistics {
    const row = (name: string) => (this.page.parts.statistics[name]?.data as Float32Array | undefined) ?? NOTHING;
    const moments = (of: string) => ({ mean: row(`${of}.mean`), deviation: row(`${of}.deviation`) });
    return { images: moments('images'), texts: moments('texts'), anchors: row('anchors') };
  }
}

const NOTHING = new Float32Array(0);

/** Conditions of a page are texts. */
const noPictures = async (): Promise<Float32Array> => NOTHING;
