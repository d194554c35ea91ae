/** What can be requested, and the jobs that come of it. */

import type { Time } from './basics.ts';
import type { SettingValue } from './state.ts';

/** Sampling settings by name; those that are left out are the recipe's. */
export type DrawSettings = Readonly<Record<string, SettingValue>>;

/** What all drawing takes. */
export interface Drawing {
  /** Of the first picture; the next ones count up. Left out: one is chosen, and stands in the job's request. */
  readonly seed?: number | undefined;
  readonly negative?: string | undefined;
  readonly settings?: DrawSettings | undefined;
}

export interface CreateRequest extends Drawing {
  readonly kind: 'create';
  readonly prompt: string;
  readonly count?: number | undefined;
  readonly bestOf?: number | undefined;
}

/** New pictures near one of the history. */
export interface VaryRequest extends Drawing {
  readonly kind: 'vary';
  readonly picture: string;
  /** Left out: what the picture shows is the condition. */
  readonly prompt?: string | undefined;
  readonly count?: number | undefined;
  /** Share of the chain that is drawn anew, above 0 up to 1. */
  readonly strength: number;
}

/** An end of an interpolation: a text, or a picture of the history as the CLIP sees it. */
export type End = { readonly prompt: string } | { readonly picture: string };

export interface InterpolateRequest extends Drawing {
  readonly kind: 'interpolate';
  readonly from: End;
  readonly to: End;
  /** Pictures, both ends included. */
  readonly frames?: number | undefined;
}

/** A picture with a part of it drawn anew. */
export interface RepaintRequest extends Drawing {
  readonly kind: 'repaint';
  readonly picture: string;
  /** Left out: that of the picture. */
  readonly prompt?: string | undefined;
  /** `0` (stays) or `1` (is drawn anew) for every place of the model's grid, row by row: grid · grid characters. */
  readonly mask: string;
  readonly strength?: number | undefined;
  readonly count?: number | undefined;
}

export interface TrainRequest {
  readonly kind: 'train';
  /** Id of a `DataEntry`. */
  readonly data: string;
  readonly preset: string;
  /** What the run is called, also its folder: letters, digits, `-` and `_`. Left out: made from data and preset. */
  readonly name?: string | undefined;
  readonly seed?: number | undefined;
  /** About how long training may take; left out: as long as the preset takes. */
  readonly minutes?: number | undefined;
  /** No stage longer than this; not together with `minutes`. */
  readonly maxSteps?: number | undefined;
  /** Prompts of the sample sheets. */
  readonly prompts?: readonly string[] | undefined;
  /** Recipe settings by path, as `clipvq train --set`. */
  readonly changes?: Readonly<Record<string, string>> | undefined;
  /** `compact`, `shipped`, or left out for the default of the data. */
  readonly clip?: 'compact' | 'shipped' | undefined;
}

/** Goes on with a run; what `POST /api/runs/:id/resume` makes. */
export interface ResumeRequest {
  readonly kind: 'resume';
  readonly run: string;
}

/** Measures a model; the report is in `GET /api/reports`. */
export interface EvaluateRequest {
  readonly kind: 'evaluate';
  /** A run; left out: the open model. */
  readonly run?: string | undefined;
  /** Id of a `DataEntry`; left out: the pictures that the run has held out. */
  readonly data?: string | undefined;
  /** At most so many pictures of it. */
  readonly pictures?: number | undefined;
  readonly prompts?: readonly string[] | undefined;
  /** Pictures a prompt. */
  readonly count?: number | undefined;
  readonly seed?: number | undefined;
}

/** Looks at every picture of a set; the result is in `GET /api/data/:id/check`. */
export interface CheckRequest {
  readonly kind: 'check';
  readonly data: string;
}

export type DrawRequest = CreateRequest | VaryRequest | InterpolateRequest | RepaintRequest;
export type JobRequest = DrawRequest | TrainRequest | ResumeRequest | EvaluateRequest | CheckRequest;
export type JobKind = JobRequest['kind'];

export type JobState = 'waiting' | 'running' | 'paused' | 'done' | 'failed' | 'cancelled';

export interface Job {
  readonly id: string;
  readonly kind: JobKind;
  /** In words: the prompt, the run, the folder. */
  readonly title: string;
  readonly state: JobState;
  /** What was requested, with the seed that was chosen. */
  readonly request: JobRequest;
  readonly created: Time;
  readonly started: Time | undefined;
  readonly ended: Time | undefined;
  readonly progress: Progress | undefined;
  /** Why it failed. */
  readonly error: string | undefined;
  /** What should be known, such as words that the model has not learned. */
  readonly notes: readonly string[];
  /** Ids of its pictures in the history, in order. */
  readonly pictures: readonly string[];
  /** The run that it trains or measures. */
  readonly run: string | undefined;
  readonly report: string | undefined;
}

export interface Progress {
  readonly done: number;
  /** 0 where it is not known. */
  readonly total: number;
  /** What is being done, such as `sampling` or `diffusion`. */
  readonly what: string;
  /** Seconds left, where that is known. */
  readonly left: number | undefined;
}

/**
 * Drawing jobs, in the order in which they are drawn, then training and others; finished ones behind, the newest first.
 */
export interface JobList {
  readonly jobs: readonly Job[];
}

/** Put a waiting job in front of another one; null puts it last. */
export interface Move {
  readonly before: string | null;
}

/** Pictures of a running job on their way. */
export interface Preview {
  readonly job: string;
  readonly step: number;
  readonly steps: number;
  /** Place of the first of them among all pictures that the job draws, candidates included. */
  readonly first: number;
  readonly grid: number;
  readonly frames: readonly PreviewFrame[];
}

export interface PreviewFrame {
  /** A PNG, in base64. */
  readonly png: string;
  /** `1` where a place is still masked, `0` elsewhere, row by row: grid · grid characters. */
  readonly masked: string;
  readonly seed: number;
  readonly prompt: string;
}
