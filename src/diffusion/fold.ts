/**
 * Folding: squares of fold x fold tokens are one position of the transformer, so that a grid of 16x16 tokens costs what
 * one of 8x8 does. Each place of a square has embeddings and logits of its own; their tables lie one after another,
 * place after place, row by row.
 */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { type Embedding, embed } from '../nn/layers.ts';

/** Rows of a table with `rows` of its own for each place of a square. */
export const foldedCodes = (rows: number, fold: number): number => rows * fold ** 2;

/** Places of a square from the tokens, which form a square grid, and the side of the folded grid. */
const foldOf = (tokens: number, side: number): number => Math.sqrt(tokens) / side;

/**
 * The sum of the embeddings of the tokens of each square: int32 [batch, tokens] to [batch, side², dim].
 * @param emb [fold² · (K + 1), dim].
 */
export function embedFolded(emb: Embedding<Tensor>, tokens: Tensor, side: number): Tensor {
  const [batch, count] = tokens.shape as readonly [number, number];
  const fold = foldOf(count, side);
  const places = g.reshape(g.transpose(g.reshape(tokens, [batch, side, fold, side, fold]), [0, 2, 4, 1, 3]), [
    batch,
    fold ** 2,
    side ** 2,
  ]);
  const rows = emb.weight.shape[0]! / fold ** 2;
  const embedded = Array.from({ length: fold ** 2 }, (_, place) => {
    const weight = g.slice(emb.weight, 0, place * rows, (place + 1) * rows);
    return embed({ weight }, g.reshape(g.slice(places, 1, place, place + 1), [batch, side ** 2]));
  });
  return embedded.reduce((a, b) => g.add(a, b));
}

/** Logits of squares, [batch, side², fold² · K], as logits of tokens, [batch, tokens, K]. */
export function unfold(logits: Tensor, tokens: number): Tensor {
  const [batch, positions, width] = logits.shape as readonly [number, number, number];
  if (positions === tokens) return logits;
  const side = Math.sqrt(positions);
  const fold = foldOf(tokens, side);
  const codes = width / fold ** 2;
  const squares = g.reshape(logits, [batch, side, side, fold, fold, codes]);
  return g.reshape(g.transpose(squares, [0, 1, 3, 2, 4, 5]), [batch, tokens, codes]);
}
