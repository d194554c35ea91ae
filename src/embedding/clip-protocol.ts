/** What passes between the embedder and its worker. */

import type { RgbImage } from '../data/pictures/image.ts';
import type { Knowledge } from './compact/knowledge.ts';
import type { ClipSource } from './sources/clip-files.ts';

/** What a worker is started with. */
export interface ClipWorkerOptions {
  readonly source: ClipSource;
  /** Threads inside one operator; 0 for one on each core. */
  readonly threads: number;
}

/** What is known of a CLIP once its files are read. */
export interface ClipFacts {
  readonly dim: number;
  readonly contextLength: number;
  readonly id: string;
}

/** What the worker does for the embedder. The model is loaded at the first call of any kind. */
export interface ClipCalls {
  facts(request: Readonly<Record<never, never>>): ClipFacts;
  /** [images, dim] */
  images(request: { readonly images: readonly RgbImage[] }): Float32Array;
  /** For each text; undefined for a CLIP whose files do not say which tokens it has learned. */
  knowledge(request: { readonly texts: readonly string[] }): readonly Knowledge[] | undefined;
  /** [texts, dim] */
  texts(request: { readonly texts: readonly string[]; readonly truncate: boolean }): Float32Array;
}
