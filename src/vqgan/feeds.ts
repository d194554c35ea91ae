/** What the tokenizer's steps are fed: pictures, noise and schedules, each a pure function of the step. */

import { float32, type NDArray, scalar } from '../base/ndarray.ts';
import { type PictureReader, ReadAhead, type View } from '../data/cache/reader.ts';
import { gumbelBatch, normalBatch } from '../random/noise.ts';
import { Shuffle } from '../random/shuffle.ts';
import { gridSize, type TokenizerRecipe } from '../recipe/schema.ts';
import { numbersOf, type Samples } from '../stage/data-parallel.ts';
import { planesOf } from './pixels.ts';
import { klWeightAt, phaseAt, rateAt, temperatureAt } from './schedule.ts';

type Feeds = Readonly<Record<string, NDArray>>;

/** Draws the feeds of a run's steps. Pictures are read ahead of the step that needs them. */
export class TokenizerFeeds {
  private readonly shuffle: Shuffle;
  private readonly ahead: ReadAhead;
  /** Milliseconds that steps have waited for their feeds. */
  waited = 0;
  private next: { readonly step: number; readonly feeds: Promise<Feeds> } | undefined;

  constructor(
    private readonly recipe: TokenizerRecipe,
    private readonly seed: number,
    private readonly reader: PictureReader,
    /** What of every batch is drawn; by default all of it. */
    private readonly own: Samples = { first: 0, count: recipe.tokenizer.batch },
  ) {
    this.shuffle = new Shuffle(seed, 'tokenizer/order', reader.size);
    this.ahead = new ReadAhead(reader, (step) => this.picksOf(step), recipe.tokenizer.steps);
  }

  /** Pictures there are to learn from. */
  get size(): number {
    return this.reader.size;
  }

  /** All that step `step` is fed. */
  async of(step: number): Promise<Feeds> {
    const start = performance.now();
    const feeds = await (this.next?.step === step ? this.next.feeds : this.draw(step));
    this.waited += performance.now() - start;
    return feeds;
  }

  /** Begin with the feeds of a step, if there is one of that number, while the engine works on the step before it. */
  prepare(step: number): void {
    if (step >= this.recipe.tokenizer.steps) return;
    const feeds = this.draw(step);
    // A failure is reported when the step comes.
    feeds.catch(() => {});
    this.next = { step, feeds };
  }

  /** The pictures of a step alone, [samples, 3, imageSize, imageSize] in [-1, 1]. */
  picturesOf(step: number): Promise<NDArray<'float32'>> {
    return this.planes(this.reader.read(this.picksOf(step)));
  }

  /** The pictures of a step, each in the view of its epoch. */
  private picksOf(step: number): View[] {
    const { batch } = this.recipe.tokenizer;
    const epochs = this.shuffle.epochs(step, batch);
    const rows = this.shuffle.batch(step, batch);
    return numbersOf(this.own).map((i) => ({ row: rows[i]!, view: epochs[i]! }));
  }

  private async planes(bytes: Promise<Uint8Array>): Promise<NDArray<'float32'>> {
    const { imageSize } = this.recipe;
    const { count } = this.own;
    const rows = numbersOf({ first: 0, count });
    return float32(planesOf(await bytes, rows, imageSize), [count, 3, imageSize, imageSize]);
  }

  private async draw(step: number): Promise<Feeds> {
    const { tokenizer: settings } = this.recipe;
    const x = await this.planes(this.ahead.at(step));
    return { x, lr: scalar(rateAt(settings, step)), ...this.noiseOf(step) };
  }

  /** The noise of the step's phase, with what goes with it. */
  private noiseOf(step: number): Feeds {
    const { tokenizer: settings } = this.recipe;
    const { codes, codeDim, latentNoise } = settings;
    const tokens = gridSize(this.recipe) ** 2;
    const samples = numbersOf(this.own);
    const batch = samples.length;
    const key = (stream: string) => ({ seed: this.seed, stream: `tokenizer/${stream}`, step });
    if (phaseAt(settings, step) === 'autoencoder') {
      const noise = normalBatch(key('latent'), samples, tokens * codeDim).map((z) => z * latentNoise);
      return { noise: float32(noise, [batch, tokens, codeDim]) };
    }
    return {
      gumbel: float32(gumbelBatch(key('gumbel'), samples, tokens * codes), [batch, tokens, codes]),
      temperature: scalar(temperatureAt(settings, step)),
      klWeight: scalar(klWeightAt(settings, step)),
    };
  }
}
