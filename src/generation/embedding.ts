/** Conditions as the rows that a model is given. */

import { UserError } from '../base/errors.ts';
import { type Correction, type EmbeddingStatistics, towardsNeighbour } from '../embedding/correction.ts';
import type { ClipEmbedder } from '../embedding/embedder.ts';
import type { Condition, EmbeddingCondition, PictureCondition, PlainCondition } from './conditions.ts';
import { plainConditions, unit, vectorOf } from './conditions.ts';

/** Conditions as vectors of the CLIP's space. */
export interface Embedded {
  /** Unit rows of the conditions as the CLIP gives them, [conditions, dim]: what pictures are compared with. */
  readonly targets: Float32Array;
  /** `targets` with corrected texts: what the model is given. */
  readonly conditions: Float32Array;
  /** The embedding of the negative text, [dim]; undefined where there is none. */
  readonly negative: Float32Array | undefined;
}

/** What texts go through on their way to a vector. */
export interface EmbeddingOptions {
  readonly clip: Pick<ClipEmbedder, 'dim' | 'embedTexts' | 'embedImages'>;
  /** The prompt prefix, put in front of every text. */
  readonly prefix: string;
  /** Text embeddings, unit rows [n, dim], as the model is given them. */
  readonly correct: (rows: Float32Array) => Float32Array;
  readonly negative: string | undefined;
}

/**
 * Embed the texts and pictures of conditions, each once, and put them together.
 * @throws UserError if a text is longer than the CLIP's context, an embedding of another width, or the parts of
 * a mix cancel out.
 */
export async function embedConditions(
  conditions: readonly Condition[],
  { clip, prefix, correct, negative }: EmbeddingOptions,
): Promise<Embedded> {
  const { dim } = clip;
  const parts = [...new Set(conditions.flatMap(plainConditions))];
  const texts = parts.filter((part) => typeof part === 'string');
  const pictures = parts.filter((part): part is PictureCondition => typeof part !== 'string' && 'picture' in part);
  const embeddings = parts.filter(
    (part): part is EmbeddingCondition => typeof part !== 'string' && 'embedding' in part,
  );
  for (const { embedding } of embeddings)
    if (embedding.length !== dim)
      throw new UserError(`An embedding has ${embedding.length} numbers; those of this model's CLIP have ${dim}`);

  const row = (rows: Float32Array, i: number) => rows.slice(i * dim, (i + 1) * dim);
  const words = negative === undefined ? texts : [...texts, negative];
  const plain = await clip.embedTexts(words.map((text) => prefix + text));
  const corrected = correct(plain);
  const seen = await clip.embedImages(pictures.map(({ picture }) => picture));
  const others = new Map<PlainCondition, Float32Array>([
    ...pictures.map((part, i) => [part, row(seen, i)] as const),
    ...embeddings.map((part) => [part, unit(part.embedding)] as const),
  ]);
  const rowsWith = (rows: Float32Array) => {
    const vectors = new Map<PlainCondition, Float32Array>([
      ...texts.map((text, i) => [text, row(rows, i)] as const),
      ...others,
    ]);
    return packed(
      conditions.map((condition) => vectorOf(condition, (part) => vectors.get(part)!)),
      dim,
    );
  };
  return {
    targets: rowsWith(plain),
    conditions: rowsWith(corrected),
    negative: negative === undefined ? undefined : row(corrected, texts.length),
  };
}

/**
 * The rows that pictures are given, [pictures, dim]: each its prompt's. With the correction `neighbour` that of a text
 * is drawn towards a picture, which depends on the seed.
 * @param rows of the prompts, as `embedConditions` gives them.
 */
export function pictureRows(
  wanted: readonly { readonly prompt: number; readonly seed: number }[],
  rows: Float32Array,
  {
    conditions,
    settings,
  }: { readonly conditions: readonly Condition[]; readonly settings: { readonly correction: Correction } },
  statistics: Pick<EmbeddingStatistics, 'anchors'> | undefined,
): Float32Array {
  const dim = rows.length / conditions.length;
  return packed(
    wanted.map(({ prompt, seed }) => {
      const row = rows.slice(prompt * dim, (prompt + 1) * dim);
      const isDrawn = settings.correction === 'neighbour' && typeof conditions[prompt] === 'string';
      return isDrawn && statistics ? towardsNeighbour(row, seed, statistics) : row;
    }),
    dim,
  );
}

function packed(rows: readonly Float32Array[], dim: number): Float32Array {
  const all = new Float32Array(rows.length * dim);
  for (const [i, row] of rows.entries()) all.set(row, i * dim);
  return all;
}
