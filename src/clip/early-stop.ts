/**
 * Early stopping of a CLIP that memorises its captions: its loss on held-out pairs is measured now and then, the best
 * weights are kept, and it stops when the loss has not fallen for some measurements (Prechelt, "Early stopping, but
 * when?", 1998).
 */

import { float32, int32, type NDArray, scalar } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import { assertFinite } from '../checkpoint/finite.ts';
import type { Engine, Executable } from '../engine/engine.ts';
import { type BatchOptions, planes, tokenIds } from './batches.ts';

/** Measurements in a training. */
const MEASUREMENTS = 20;
/** Fewer held-out pairs than this say too little. */
const FEWEST = 8;
/** More are not used: the loss compares all with all. */
const MOST = 256;

/** Names of what the trainer keeps, besides the best weights. */
const [LOSS, WAITED] = ['heldOut.loss', 'heldOut.waited'] as const;
const BEST = 'best.';

/** The pairs from `count` on are held out. */
export interface EarlyStopOptions extends Pick<BatchOptions, 'pairs' | 'count' | 'bpe' | 'length' | 'captions'> {
  readonly steps: number;
  readonly patience: number;
}

/** The held-out pairs of one training, its losses on them, and the best weights so far. */
export class EarlyStop {
  /** Pairs that are measured. */
  readonly batch: number;
  private best = Number.POSITIVE_INFINITY;
  private waited = 0;
  private weights: Readonly<Record<string, NDArray>> = {};
  private last: number | undefined;
  private hasEnough = false;

  constructor(private readonly options: EarlyStopOptions) {
    this.batch = Math.min(MOST, options.pairs.size - options.count);
  }

  get isOn(): boolean {
    return this.options.patience > 0 && this.batch >= FEWEST;
  }

  /** The loss measured last, for the log. */
  get metrics(): { readonly heldOutLoss?: number } {
    return this.last === undefined ? {} : { heldOutLoss: this.last };
  }

  reset(): void {
    this.best = Number.POSITIVE_INFINITY;
    this.waited = 0;
    this.weights = {};
    this.last = undefined;
    this.hasEnough = false;
  }

  /** Measure the loss on the held-out pairs, if it is time for that after so many steps. */
  async measure(step: number, program: Pick<Executable, 'run'>, engine: Pick<Engine, 'read'>): Promise<void> {
    const { steps, patience, pairs, count, bpe, length, captions } = this.options;
    this.hasEnough = false;
    if (step % Math.ceil(steps / MEASUREMENTS) !== 0) return;
    const rows = Array.from({ length: this.batch }, (_, i) => count + i);
    const wordings = Array.from({ length: captions }, (_, wording) => rows.map((row) => pairs.caption(row, wording)));
    const ids = tokenIds(wordings.flat(), bpe, length).data;
    const feeds = { images: planes(pairs, rows), ids: int32(ids, [captions, this.batch, length]) };
    const loss = (await program.run(feeds)).loss!.data[0]!;
    this.last = loss;
    if (loss < this.best) {
      this.best = loss;
      this.waited = 0;
      this.weights = flatten<NDArray>(await engine.read('params'));
    } else this.waited++;
    this.hasEnough = this.waited >= patience;
  }

  /** The weights of the lowest loss on held-out pairs; undefined before the first measurement. */
  get bestWeights(): Readonly<Record<string, NDArray>> | undefined {
    return Object.keys(this.weights).length > 0 ? this.weights : undefined;
  }

  /** What the trainer keeps of it. */
  hostState(): Readonly<Record<string, NDArray>> {
    if (this.bestWeights === undefined) return {};
    const weights = Object.entries(this.weights).map(([path, array]) => [BEST + path, array] as const);
    return {
      [LOSS]: float32([this.best, this.last ?? this.best], [2]),
      [WAITED]: scalar(this.waited),
      ...Object.fromEntries(weights),
    };
  }

  /** Take up what `hostState` gave. @throws NotFinite if the best weights hold NaN or infinity. */
  restore(host: Readonly<Record<string, NDArray>>): void {
    for (const [name, array] of Object.entries(host))
      if (name.startsWith(BEST)) assertFinite(array, `the checkpoint's ${name}`);
    this.reset();
    const [best, last] = host[LOSS]?.data ?? [];
    if (best === undefined) return;
    this.best = best;
    this.last = last;
    this.waited = host[WAITED]?.data[0] ?? 0;
    this.weights = Object.fromEntries(
      Object.entries(host).flatMap(([name, array]) =>
        name.startsWith(BEST) ? [[name.slice(BEST.length), array]] : [],
      ),
    );
  }

  /** A sentence where training stops after so many steps; undefined where it does not. */
  note(step: number): string | undefined {
    if (!this.hasEnough) return undefined;
    return `clip: its loss on held-out pairs, now ${this.last?.toPrecision(3)}, has not fallen below ${this.best.toPrecision(3)} for ${this.waited} measurements: it learns its pairs by heart. It stops at step ${step} of ${this.options.steps} and keeps the best weights; more captioned pictures help, longer training does not (clip.patience)`;
  }
}
