/** Prompts of all kinds before anything is drawn: embedded by the model's CLIP, corrected, one row for each picture. */

import { correctTexts, type EmbeddingStatistics } from '../embedding/correction.ts';
import type { ClipEmbedder } from '../embedding/embedder.ts';
import type { RunDirectory } from '../run/directory.ts';
import { readStatistics, statisticsIfAny } from '../run/statistics.ts';
import { embedConditions, pictureRows } from './embedding.ts';
import type { Request, Wanted } from './options.ts';
import { type UsualScore, usualScores } from './usual-scores.ts';

/** The embedded prompts of a request. */
export interface EmbeddedPrompts {
  /** Unit rows as the CLIP gives them, [prompts, dim]: what pictures are compared with. */
  readonly targets: Float32Array;
  /** The embedding of the negative text, corrected, [dim]. */
  readonly negative: Float32Array | undefined;
  /** What the model is given for pictures, [pictures, dim]: each its prompt's. */
  rows(wanted: readonly Wanted[]): Float32Array;
}

/** The prompts of one model. */
export class Prompts {
  private statistics: EmbeddingStatistics | undefined;
  /** Embeddings of the texts that were embedded last. */
  private texts: ReadonlyMap<string, Float32Array> = new Map();

  constructor(
    private readonly run: RunDirectory,
    private readonly clip: ClipEmbedder,
  ) {}

  /** @throws UserError as `embedConditions` does, and if the run has no statistics that a correction needs. */
  async embed(request: Request): Promise<EmbeddedPrompts> {
    const { correction } = request.settings;
    if (correction !== 'none') this.statistics ??= readStatistics(this.run, correction, this.clip.dim);
    const { statistics } = this;
    const { targets, conditions, negative } = await embedConditions(request.conditions, {
      clip: this.clip,
      prefix: this.prefix,
      correct: (rows) => correctTexts(rows, correction, statistics),
      negative: request.negative,
    });
    const { dim } = this.clip;
    const row = (i: number) => targets.subarray(i * dim, (i + 1) * dim);
    this.texts = new Map(
      request.conditions.flatMap((one, i) => (typeof one === 'string' ? [[one, row(i)] as const] : [])),
    );
    return { targets, negative, rows: (wanted) => pictureRows(wanted, conditions, request, statistics) };
  }

  /**
   * What pictures that the model has learned from score with texts. Undefined for a run without statistics of them.
   */
  async usualScores(texts: readonly string[]): Promise<readonly UsualScore[] | undefined> {
    const statistics = this.statistics ?? statisticsIfAny(this.run, this.clip.dim);
    if (!statistics) return undefined;
    const known = texts.flatMap((text) => this.texts.get(text) ?? []);
    const rows =
      known.length === texts.length
        ? Float32Array.from(known.flatMap((row) => [...row]))
        : await this.clip.embedTexts(texts.map((text) => this.prefix + text));
    return usualScores(rows, statistics.anchors, this.clip.dim);
  }

  private get prefix(): string {
    return this.run.settings.recipe.sampling.promptPrefix;
  }
}
