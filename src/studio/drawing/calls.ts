/** The calls of the thread that draws, and what a drawing is made of. */

import type { DrawSettings } from '../protocol.ts';

/** A text, the bytes of a picture file, or a place on the arc between two of them. */
export type PlannedCondition =
  | { readonly text: string }
  | { readonly file: Uint8Array; readonly name: string }
  | { readonly between: readonly [PlannedCondition, PlannedCondition]; readonly at: number };

/** Pictures that are drawn together: seeds count up from `seed`. */
export interface Batch {
  readonly condition: PlannedCondition;
  readonly seed: number;
  readonly count: number;
}

/** A picture to go on from. */
export interface PlannedStart {
  /** The bytes of a picture file. */
  readonly file: Uint8Array;
  readonly strength: number;
  /** `1` for every place of the grid that is drawn anew, `0` elsewhere. */
  readonly mask: string | undefined;
}

export interface DrawPlan {
  readonly batches: readonly Batch[];
  /** Candidates for each picture that is kept; they follow each other within a batch. */
  readonly bestOf: number;
  readonly settings: DrawSettings;
  readonly negative: string | undefined;
  readonly start: PlannedStart | undefined;
}

export interface DrawnFrame {
  readonly png: Uint8Array;
  /** `1` where a place is still masked, row by row. */
  readonly masked: string;
  readonly seed: number;
  readonly prompt: string;
}

export interface FinishedPicture {
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly prompt: string;
  readonly negative: string | undefined;
  readonly seed: number;
  readonly settings: DrawSettings;
  readonly clipScore: number;
}

/** One sampling step of one batch. */
export interface DrawnStep {
  /** Among those of the batch. */
  readonly step: number;
  readonly steps: number;
  /** Of all batches; `total` is 0 until the first step is done. */
  readonly done: number;
  readonly total: number;
  /** Place of the batch's first picture among all that are drawn. */
  readonly first: number;
  readonly frames: readonly DrawnFrame[];
  /** With the last step of a batch: the pictures that are kept. */
  readonly finished: readonly FinishedPicture[];
}

/** What training a preset costs on the reference machine. */
export interface PresetCost {
  /** Millions. */
  readonly parameters: number;
  readonly memoryGB: number;
  readonly stages: readonly { readonly stage: string; readonly steps: number; readonly seconds: number }[];
  /** To read, encode and embed a picture. */
  readonly secondsPerPicture: number;
  /** What all of that may become, as multiples. */
  readonly range: readonly [number, number];
}

export interface DrawingCalls {
  /** Open a model in the place of the one that is open; drawings that are under way end. */
  load(request: { readonly folder: string }): { readonly hash: string };
  /** Begin a drawing. Returns what should be known of its prompts. */
  open(request: { readonly job: string; readonly plan: DrawPlan }): { readonly notes: readonly string[] };
  /** The next step of a drawing; undefined after the last one. */
  next(request: { readonly job: string }): DrawnStep | undefined;
  /** Leave a drawing. */
  leave(request: { readonly job: string }): undefined;
  /** What training a preset costs on the reference machine. */
  cost(request: { readonly preset: string }): PresetCost;
  /** Of this machine, relative to the reference machine. */
  speed(request: Record<string, never>): number;
  /** Close the model. */
  end(request: Record<string, never>): undefined;
}

/** What the thread is started with. */
export interface DrawingThreadOptions {
  readonly device: string;
  readonly threads: number;
}
