/** A CLIP that is loaded, as the embedder's worker uses it, whatever computes it. */

import { UserError } from '../base/errors.ts';
import { unitRows32 } from '../base/rows.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import type { ClipFacts } from './clip-protocol.ts';
import type { Knowledge } from './compact/knowledge.ts';

/** A CLIP that is loaded. */
export interface ClipModel {
  readonly facts: ClipFacts;
  /** Unit rows [images, dim]. */
  embedImages(images: readonly RgbImage[]): Promise<Float32Array>;
  /**
   * Unit rows [texts, dim].
   * @throws UserError for a text that is empty or, unless it may be cut, too long.
   */
  embedTexts(texts: readonly string[], truncate: boolean): Promise<Float32Array>;
  knowledge(texts: readonly string[]): readonly Knowledge[] | undefined;
  /** Gives back its networks. It must not be used any more. */
  release(): Promise<void>;
}

/**
 * Check that a CLIP can embed a text.
 * @param tokens of the text; 0 if it may be of any length.
 * @throws UserError if it is empty or longer than `contextLength`.
 */
export function checkText(text: string, tokens: number, contextLength: number): void {
  if (text.trim() === '') throw new UserError('The prompt is empty: say what the picture should show');
  if (tokens <= contextLength) return;
  throw new UserError(
    `The prompt "${excerpt(text)}" is ${tokens} tokens long and this CLIP reads at most ${contextLength}: shorten it`,
  );
}

/** The beginning of a text on one line. */
function excerpt(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length <= 60 ? line : `${line.slice(0, 60)}…`;
}

/** What a network gives, [n, dim], at unit length. @throws Error if it gives something else. */
export function embeddings(data: unknown, shape: readonly number[], dim: number): Float32Array {
  if (!(data instanceof Float32Array) || shape.length !== 2 || shape[1] !== dim)
    throw new Error(`embeddings are [${shape}] where [n, ${dim}] is due`);
  return unitRows32(data, dim);
}
