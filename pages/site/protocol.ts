/** The messages between the page and its worker. */

/** One setting that a visitor may change, as the recipe's schema describes it. */
export interface Field {
  readonly name: 'steps' | 'guidanceScale' | 'sampler';
  readonly label: string;
  readonly hint: string;
  readonly value: string;
  /** Of a choice: its values, each with a line of its own. */
  readonly choices?: readonly { readonly value: string; readonly hint: string }[];
  readonly most?: number;
}

/** What the worker knows of the model once it is loaded. */
export interface Facts {
  readonly title: string;
  /** Side of the pictures, in pixels. */
  readonly side: number;
  /** Side of the grid of codes. */
  readonly grid: number;
  readonly precision: 'float16' | 'float32';
  readonly fields: readonly Field[];
}

export interface Choices {
  readonly count: number;
  readonly seed: number;
  readonly steps?: number;
  readonly guidanceScale?: number;
  readonly sampler?: string;
}

export type Request =
  /** What computes; it may come before the model or after it. */
  | {
      readonly kind: 'runtime';
      /** As it lies in files: the worker unpacks it, while the page reads the model. */
      readonly wasm: Blob;
      /** Where the runtime's script lies, absolute; undefined where the worker brings it. */
      readonly glue: string | undefined;
      readonly threads: number;
    }
  | { readonly kind: 'load'; readonly model: ArrayBuffer }
  | { readonly kind: 'draw'; readonly job: number; readonly prompt: string; readonly choices: Choices }
  | { readonly kind: 'cancel'; readonly job: number };

export interface FrameMessage {
  readonly kind: 'frame';
  readonly job: number;
  readonly index: number;
  readonly seed: number;
  readonly step: number;
  readonly steps: number;
  /** Red, green and blue of every pixel. */
  readonly pixels: Uint8Array;
  /** 1 where a place of the grid is still masked. */
  readonly masked: Uint8Array;
  readonly finished: { readonly png: Uint8Array<ArrayBuffer>; readonly tokens: Int32Array } | undefined;
}

export type Answer =
  | { readonly kind: 'loaded'; readonly facts: Facts }
  /** The model could not be loaded. */
  | { readonly kind: 'broken'; readonly message: string }
  | FrameMessage
  /** The GPU computes no more: what was being drawn has not ended. */
  | { readonly kind: 'lost'; readonly message: string }
  /** A job is at its end: whole, cancelled, or with what went wrong. */
  | {
      readonly kind: 'ended';
      readonly job: number;
      readonly message: string | undefined;
      readonly unknownWords: readonly string[];
    };
