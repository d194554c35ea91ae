/**
 * Sheets that show what a stage has learned so far: reconstructions of the same pictures, or pictures of the same
 * prompts and seeds, named by step. They are drawn by an engine of their own from a copy of the weights, so that
 * training goes on as it would have gone on without them.
 */

import fs from 'node:fs';
import path from 'node:path';
import { messageOf } from '../../base/errors.ts';
import type { NDArray } from '../../base/ndarray.ts';
import { flatten } from '../../base/tree.ts';
import { fromPlanar, packImages, type RgbImage, toPlanar } from '../../data/pictures/image.ts';
import type { ImageSource } from '../../data/sources/source.ts';
import { correctTexts } from '../../embedding/correction.ts';
import { Engine } from '../../engine/engine.ts';
import { makeFolder, writeFileAtomic } from '../../files/atomic.ts';
import type { Condition } from '../../generation/conditions.ts';
import { PictureModel } from '../../generation/draw.ts';
import { embedConditions, pictureRows } from '../../generation/embedding.ts';
import { requestOf } from '../../generation/options.ts';
import { contactSheet, type Sheet } from '../../render/sheet.ts';
import { openRunClip } from '../../run/models.ts';
import { readStatistics } from '../../run/statistics.ts';
import type { Stage } from '../../stage/stage.ts';
import { makeDecoder, makeEncoder } from '../../vqgan/codec.ts';
import { firstQuantizedStep } from '../../vqgan/schedule.ts';
import { reconstructWithoutCodebook } from '../../vqgan/without-codebook.ts';
import type { RunContext } from '../context.ts';
import type { StageName } from '../stages.ts';
import { SHEET_FOLDER, sheetFile, sheetOf } from './sheet-files.ts';

/** Pictures that are reconstructed; pictures that stand for prompts where there are none; pictures drawn together. */
const [RECONSTRUCTED, LOOKED_AT, BATCH] = [8, 4, 16];
/** Prompts at most, and pictures for each. */
const FULL = { prompts: 12, drawn: 4 };
const SPARING = { prompts: 4, drawn: 2 };

/** Sparing sheets of a stage. */
export const SPARING_SHEETS = 4;
/**
 * Seconds of the stages that have sparing sheets, and how many times as long as one sheet they take: four sheets cost a
 * fiftieth.
 */
const [LONG, FACTOR] = [600, 200];

export interface SheetChoice {
  readonly prompts: readonly string[];
  /** Draw smaller sheets, and only in long stages: at quarters of them, as long as that costs little. */
  readonly isSparing?: boolean | undefined;
}

export interface SheetContents extends SheetChoice {
  /** Pictures to reconstruct; where there are no prompts the first are what samples are drawn like. */
  readonly pictures: ImageSource | undefined;
}

type SheetContext = Pick<RunContext, 'run' | 'engineOptions' | 'signal' | 'display'>;
type Arrays = Readonly<Record<string, NDArray>>;

/** Draws the sheets of a run. What does not change from sheet to sheet is read and embedded once. */
export class Sheets {
  private images: Promise<readonly RgbImage[]> | undefined;
  private embedded: ReturnType<Sheets['embed']> | undefined;
  /** Seconds that the last sheet of a stage took. */
  private readonly took = new Map<string, number>();

  constructor(
    private readonly context: SheetContext,
    private readonly contents: SheetContents,
  ) {}

  /**
   * Draw the sheet of a stage that is being trained, and takes so many seconds in all. One that fails is noted and left
   * out: training goes on.
   */
  async during({ name, weights }: Pick<Stage, 'name' | 'weights'>, step: number, seconds: number): Promise<void> {
    if (!weights || !this.isWorth(name, seconds)) return;
    const { signal, display } = this.context;
    try {
      await this.draw(name as StageName, step, flatten<NDArray>(await weights()));
    } catch (error) {
      // A training that is stopped ends with its checkpoint.
      if (!signal.aborted) display.note(`${name}: the sheet of step ${step} was not drawn: ${messageOf(error)}`);
    }
  }

  /**
   * Draw the sheet of a stage that has been trained in so many seconds.
   * @returns the file, or undefined where there is no sheet: the CLIP has none, a generator none without prompts and
   * pictures, and a short stage no sparing one.
   */
  async after(stage: StageName, seconds: number): Promise<string | undefined> {
    if (stage === 'clip' || !this.isWorth(stage, seconds)) return undefined;
    const { run } = this.context;
    return this.draw(stage, run.settings.recipe[stage].steps, run.readModel(stage).tensors);
  }

  private isWorth(stage: string, seconds: number): boolean {
    return !this.contents.isSparing || seconds >= Math.max(LONG, FACTOR * (this.took.get(stage) ?? 0));
  }

  private async draw(stage: StageName, step: number, weights: Arrays): Promise<string | undefined> {
    const { run } = this.context;
    const start = performance.now();
    const sheet = stage === 'tokenizer' ? await this.reconstructions(step, weights) : await this.samples(weights);
    if (!sheet) return undefined;
    const file = run.file(sheetFile(stage, step));
    makeFolder(path.dirname(file));
    writeFileAtomic(file, await contactSheet({ ...sheet, title: `${stage}, step ${step}` }));
    this.took.set(stage, (performance.now() - start) / 1000);
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
      if (isPlain) return reconstructWithoutCodebook(engine, weights, recipe, label, toPlanar(images));
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
    this.embedded ??= this.embed();
    const embedded = await this.embedded;
    if (!embedded) return undefined;
    const { request, conditions, statistics, drawn } = embedded;
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
    return {
      rows: request.conditions.map((condition, i) => {
        const own = images.slice(i * drawn, (i + 1) * drawn);
        if (typeof condition === 'string') return { label: condition, images: own };
        return { label: 'a picture, and others like it', images: [...picturesOf(condition), ...own] };
      }),
    };
  }

  private async readPictures(source: ImageSource): Promise<readonly RgbImage[]> {
    const images: RgbImage[] = [];
    for (let i = 0; i < Math.min(RECONSTRUCTED, source.size); i++)
      images.push(await source.read(i, this.context.run.settings.recipe.imageSize));
    return images;
  }

  /** What samples are drawn for: prompts, else pictures; undefined where there is neither. */
  private async embed() {
    const { run, engineOptions, signal } = this.context;
    const { recipe } = run.settings;
    const { prompts: given, pictures, isSparing } = this.contents;
    const { prompts: most, drawn } = isSparing ? SPARING : FULL;
    if (given.length === 0 && !pictures) return undefined;
    if (pictures) this.images ??= this.readPictures(pictures);
    const examples = given.length > 0 ? [] : ((await this.images) ?? []).slice(0, LOOKED_AT);
    const wanted: Condition[] = [...given.slice(0, most), ...examples.map((picture) => ({ picture }))];
    const request = requestOf(wanted, { count: drawn, seed: 0 }, recipe, []);
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
      return { request, conditions, statistics, drawn };
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

const picturesOf = (condition: Condition): readonly RgbImage[] =>
  typeof condition !== 'string' && 'picture' in condition ? [condition.picture] : [];

/** Remove the sheets of a stage beyond a step: they belong to a training that is not gone on with. */
export function trimSheets(run: Pick<RunContext['run'], 'file'>, stage: string, step: number): void {
  const folder = run.file(SHEET_FOLDER);
  if (!fs.existsSync(folder)) return;
  for (const name of fs.readdirSync(folder)) {
    const sheet = sheetOf(name);
    if (sheet?.stage === stage && sheet.step > step) fs.rmSync(path.join(folder, name), { force: true });
  }
}
