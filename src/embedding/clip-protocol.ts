/** What passes between the embedder and its worker. */

import type { RgbImage } from '../data/pictures/image.ts';
import type { Knowledge } from './compact/knowledge.ts';
import type { ClipSource } from './sources/clip-files.ts';

/** Which CLIP to load, and how it computes. */
export interface ClipOpening {
  readonly source: ClipSource;
  /** Threads inside one operator; 0 for one on each core. */
  readonly threads: number;
  /** Milliseconds that the tokens of a call may take; a batch of texts takes a few. */
  readonly mostTokenizing: number;
}

/** The time that a tokenizer has by default. */
export const MOST_TOKENIZING = 5_000;

/** What is known of a CLIP once its files are read. */
export interface ClipFacts {
  readonly dim: number;
  readonly contextLength: number;
  readonly id: string;
}

/** What the worker does for the embedder. It has at most one CLIP at a time, which all calls but `open` are about. */
export interface ClipCalls {
  open(request: ClipOpening): ClipFacts;
  /**
   * Gives back what the CLIP holds, and what is left of one that could not be opened.
   * @returns whether the worker is as it was before, for the next CLIP.
   */
  close(request: Readonly<Record<never, never>>): boolean;
  /** [images, dim] */
  images(request: { readonly images: readonly RgbImage[] }): Float32Array;
  /** For each text; undefined for a CLIP whose files do not say which tokens it has learned. */
  knowledge(request: { readonly texts: readonly string[] }): readonly Knowledge[] | undefined;
  /** [texts, dim] */
  texts(request: { readonly texts: readonly string[]; readonly truncate: boolean }): Float32Array;
}
