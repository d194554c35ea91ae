/** What the embedder and its worker say to each other. Every request carries an id and is answered once. */

import type { RgbImage } from '../data/pictures/image.ts';
import type { ClipSource } from './clip-source.ts';

export interface ClipWorkerOptions {
  readonly source: ClipSource;
  /** Threads inside one operator; 0 lets ONNX Runtime choose. */
  readonly threads: number;
}

/** What is known of a CLIP once its files are read. */
export interface ClipFacts {
  readonly dim: number;
  readonly contextLength: number;
  readonly id: string;
}

export type ClipRequest =
  | { readonly kind: 'load' }
  | { readonly kind: 'images'; readonly images: readonly RgbImage[] }
  | { readonly kind: 'texts'; readonly texts: readonly string[]; readonly truncate: boolean }
  /** Answered when all calls before it are. */
  | { readonly kind: 'close' };

export interface ClipCall {
  readonly id: number;
  readonly request: ClipRequest;
}

export type ClipReply =
  | { readonly kind: 'facts'; readonly facts: ClipFacts }
  | { readonly kind: 'done' }
  | { readonly kind: 'embeddings'; readonly embeddings: Float32Array }
  /** `mistake`: the user can mend it. */
  | { readonly kind: 'error'; readonly message: string; readonly mistake: boolean };

export interface ClipAnswer {
  readonly id: number;
  readonly reply: ClipReply;
}
