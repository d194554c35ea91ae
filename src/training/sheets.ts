/**
 * Sheets that show what a stage has learned so far: reconstructions of the same pictures, or pictures of the same
 * prompts and seeds, named by step. They are drawn by an engine of their own from a copy of the weights, so that
 * training goes on as it would have gone on without them.
 */

import fs from 'node:fs';
import path from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { NDArray } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import { makeFolder, writeFileAtomic } from '../checkpoint/atomic.ts';
import { correctTexts, type EmbeddingStatistics } from '../clip/correction.ts';
import { fromPlanar, packImages, type RgbImage, toPlanar } from '../data/pictures/image.ts';
import type { ImageSource } from '../data/sources/source.ts';
import { Engine } from '../engine/engine.ts';
import { PictureModel } from '../generation/draw.ts';
import { embedConditions, pictureRows } from '../generation/embedding.ts';
import { type Request, requestOf } from '../generation/options.ts';
import { contactSheet, type Sheet } from '../render/sheet.ts';
import { openRunClip } from '../run/models.ts';
import { readStatistics } from '../run/statistics.ts';
import type { Stage } from '../stage/stage.ts';
import { makeDecoder, makeEncoder } from '../vqgan/codec.ts';
import { reconstructPlainly } from '../vqgan/plain.ts';
import { firstQuantizedStep } from '../vqgan/schedule.ts';
import type { RunContext } from './context.ts';
import { SHEET_FOLDER, sheetFile, sheetOf } from './sheet-files.ts';
import type { StageName } from './stages.ts';

/** Pictures that are reconstructed; pictures for each prompt, and prompts at most; pictures drawn together. */
const [RECONSTRUCTED, DRAWN, PROMPTS, BATCH] = [8, 4, 12, 16];

export interface SheetContents {
  readonly prompts: readonly string[];
  readonly pictures: ImageSource | undefined;
}

type SheetContext = Pick<RunContext, 'run' | 'engineOptions' | 'signal' | 'display'>;
type Arrays = Readonly<Record<string, NDArray>>;

/** Draws the sheets of a run. What does not change from sheet to sheet is read and embedded once. */
export class Sheets {
  private images: Promise<readonly RgbImage[]> | undefined;
  private embedded:
    | Promise<{
        readonly request: Request;
        readonly conditions: Float32Array;
        readonly statistics: EmbeddingStatistics | undefined;
      }>
    | undefined;

  constructor(
    private readonly context: SheetContext,
    private readonly contents: SheetContents,
  ) {}

  /**
   * Draw the sheet of a stage that is being trained. One that fails is noted and left out: training goes on.
   */
  async during({ name, weights }: Pick<Stage, 'name' | 'weights'>, step: number): Promise<void> {
    if (!weights) return;
    const { signal, display } = this.context;
    try {
      await this.draw(name as StageName, step, flatten<NDArray>(await weights()));
    } catch (error) {
      // A training that is stopped ends with its checkpoint.
      if (!signal.aborted) display.note(`${name}: the sheet of step ${step} was not drawn: ${messageOf(error)}`);
    }
  }

  /**
   * Draw the sheet of a stage that has been trained.
   * @returns the file, or undefined where there is no sheet: the CLIP has none, and a generator none without prompts.
   */
  async after(stage: StageName): Promise<string | undefined> {
    if (stage === 'clip') return undefined;
    const { run } = this.context;
    return this.draw(stage, run.settings.recipe[stage].steps, run.readModel(stage).tensors);
  }

  private async draw(stage: StageName, step: number, weights: Arrays): Promise<string | undefined> {
    const { run } = this.context;
    const sheet = stage === 'tokenizer' ? await this.reconstructions(step, weights) : await this.samples(weights);
    if (!sheet) return undefined;
    const file = run.file(sheetFile(stage, step));
    makeFolder(path.dirname(file));
    writeFileAtomic(file, await contactSheet({ ...sheet, title: `${stage}, step ${step}` }));
    return file;
  }

  private async reconstructions(step: number, weights: Arrays): Promise<Sheet | undefined> {
    const { run } = this.context;
    const { recipe } = run.settings;
    const { imageSize } = recipe;
    if (!this.contents.pictures) return undefined;
    this.images ??= this.readPictures(this.contents.pictures);
    const images = await this.images;
    const bytes = packImages(images);
    const label = 'the tokenizer';
    // The codebook is made by the first step that has codes.
    const isPlain = step <= firstQuantizedStep(recipe.tokenizer) && step < recipe.tokenizer.steps;
    const decoded = await this.withEngine(async (engine) => {
      if (isPlain) return reconstructPlainly(engine, weights, recipe, label, toPlanar(images));
      const codes = await makeEncoder(engine, weights, recipe, label).encode(bytes);
      return makeDecoder(engine, weights, recipe, label).decode(codes);
    });
    return {
      rows: [
        { label: 'pictures', images },
        {
          label: isPlain ? 'through the autoencoder, which has no codes yet' : 'through the tokenizer',
          images: fromPlanar(decoded, images.length, imageSize, imageSize),
        },
      ],
    };
  }

  private async samples(weights: Arrays): Promise<Sheet | undefined> {
    const { run, signal } = this.context;
    const { recipe, seed } = run.settings;
    const prompts = this.contents.prompts.slice(0, PROMPTS);
    if (prompts.length === 0) return undefined;
    this.embedded ??= this.embedPrompts(prompts);
    const { request, conditions, statistics } = await this.embedded;
    const images = await this.withEngine(async (executor) => {
      const tokenizer = { label: 'the tokenizer', tensors: run.readModel('tokenizer').tensors };
      const denoiser = { label: 'the diffusion model', tensors: weights };
      const model = await PictureModel.load({ executor, recipe, seed, tokenizer, denoiser, signal });
      const all: RgbImage[] = [];
      for (let first = 0; first < request.total; first += BATCH) {
        const wanted = request.batch(first, BATCH);
        const rows = pictureRows(wanted, conditions, request, statistics);
        const seeds = wanted.map((one) => one.seed);
        const { tokens } = await model.draw(rows, { settings: request.settings, seeds, signal });
        all.push(...(await model.decode(tokens)));
      }
      return all;
    });
    return { rows: prompts.map((label, i) => ({ label, images: images.slice(i * DRAWN, (i + 1) * DRAWN) })) };
  }

  private async readPictures(source: ImageSource): Promise<readonly RgbImage[]> {
    const images: RgbImage[] = [];
    for (let i = 0; i < Math.min(RECONSTRUCTED, source.size); i++)
      images.push(await source.read(i, this.context.run.settings.recipe.imageSize));
    return images;
  }

  private async embedPrompts(prompts: readonly string[]) {
    const { run, engineOptions, signal } = this.context;
    const { recipe } = run.settings;
    const request = requestOf(prompts, { count: DRAWN, seed: 0 }, recipe, []);
    const { correction } = request.settings;
    const clip = await openRunClip(run, { ...engineOptions, signal });
    try {
      const statistics = correction === 'none' ? undefined : readStatistics(run, correction, clip.dim);
      const { conditions } = await embedConditions(request.conditions, {
        clip,
        prefix: recipe.sampling.promptPrefix,
        correct: (rows) => correctTexts(rows, correction, statistics),
        negative: undefined,
      });
      return { request, conditions, statistics };
    } finally {
      await clip.close();
    }
  }

  private async withEngine<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    const engine = Engine.start(this.context.engineOptions);
    try {
      return await work(engine);
    } finally {
      await engine.close();
    }
  }
}

/** Remove the sheets of a stage beyond a step: they belong to a training that is not gone on with. */
export function trimSheets(run: Pick<RunContext['run'], 'file'>, stage: string, step: number): void {
  const folder = run.file(SHEET_FOLDER);
  if (!fs.existsSync(folder)) return;
  for (const name of fs.readdirSync(folder)) {
    const sheet = sheetOf(name);
    if (sheet?.stage === stage && sheet.step > step) fs.rmSync(path.join(folder, name), { force: true });
  }
}
