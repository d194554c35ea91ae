/** Prompts through the text tower of a compact CLIP, on any executor. */

import { UserError } from '../base/errors.ts';
import type { NDArray } from '../base/ndarray.ts';
import { unitRows32 } from '../base/rows.ts';
import { unflatten } from '../base/tree.ts';
import { tokenIds } from '../clip/batches.ts';
import { embedTexts, type TextTower } from '../clip/towers.ts';
import { Bpe } from '../embedding/compact/bpe.ts';
import { CompiledPrograms } from '../engine/compiled.ts';
import type { Executor } from '../engine/executor.ts';
import { shown } from '../generation/shown.ts';
import * as g from '../graph/index.ts';
import { literals } from '../nn/parameters.ts';
import type { PageModel } from './page-model.ts';

/** The place of every token in the table of embeddings, among the weights of the tower. */
export const ROWS = 'rows';

/** Embeds prompts, one at a time: one program serves them all. */
export class PageTexts {
  /** Width of the embeddings. */
  readonly dim: number;
  private readonly bpe: Bpe;
  private readonly rows: Int32Array;
  private readonly programs: CompiledPrograms;
  private readonly weights: TextTower<NDArray>;
  private readonly context: number;

  /** @throws UserError if the weights are not those of a text tower. */
  constructor(
    executor: Executor,
    { merges, context, parts: { text } }: Pick<PageModel, 'merges' | 'context' | 'parts'>,
  ) {
    const { [ROWS]: rows, ...weights } = text;
    const dim = weights['projection.weight']?.shape[0];
    if (!(rows?.data instanceof Int32Array) || dim === undefined)
      throw new UserError('The model of this page has no text tower: export it again');
    this.bpe = new Bpe(merges);
    if (rows.data.length !== this.bpe.tokens.length)
      throw new UserError('The vocabulary of this page is not that of its text tower: export it again');
    this.rows = rows.data;
    this.weights = unflatten(weights) as TextTower<NDArray>;
    this.dim = dim;
    this.context = context;
    this.programs = new CompiledPrograms(executor, 1);
  }

  /**
   * Texts to unit vectors, [texts, dim].
   * @throws UserError naming the first text that is empty or longer than the context.
   */
  async embedTexts(texts: readonly string[]): Promise<Float32Array> {
    const rows = new Float32Array(texts.length * this.dim);
    for (const [i, text] of texts.entries()) rows.set(await this.embed(text), i * this.dim);
    return rows;
  }

  /** Words of a text with a part that no caption had from which the CLIP has learned. */
  unknownWords(text: string): readonly string[] {
    const isKnown = (id: number) => this.rows[id] !== this.rows[this.bpe.pad];
    const words = text.split(/\s+/).filter((word) => word !== '');
    return words.filter((word) => !this.bpe.encode(word).slice(1, -1).every(isKnown));
  }

  private async embed(text: string): Promise<Float32Array> {
    if (text.trim() === '') throw new UserError('The prompt is empty: say what the picture should show');
    const tokens = this.bpe.encode(text).length;
    if (tokens > this.context)
      throw new UserError(
        `The prompt "${shown(text)}" is ${tokens} tokens long and this CLIP reads at most ${this.context}: shorten it`,
      );
    const write = () =>
      g.trace({ ids: g.i32(1, this.context) }, ({ ids }) => ({
        embeddings: embedTexts(literals(this.weights), ids, this.rows),
      }));
    const out = await this.programs.run('texts', write, { ids: tokenIds([text], this.bpe, this.context) });
    return unitRows32(out.embeddings!.data as Float32Array, this.dim);
  }
}
