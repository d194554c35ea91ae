/** Runs of training, in brief and in full. */

import type { Time } from './basics.ts';

export interface Run {
  readonly id: string;
  readonly name: string;
  readonly preset: string;
  /** In words: `faces`, the name of a folder. */
  readonly data: string;
  /** `stopped`: steps are left, and no process trains it. */
  readonly state: 'starting' | 'training' | 'stopped' | 'done' | 'failed';
  /** The last line of a training that ended badly. */
  readonly error: string | undefined;
  readonly stages: readonly StageFacts[];
  readonly lastActivity: Time;
  /** Whether it generates. */
  readonly isModel: boolean;
  /** Whether this studio can pause it: it trains on this machine. */
  readonly canPause: boolean;
  /** Steps a second, lately, and seconds left of the stage. */
  readonly rate: number | undefined;
  readonly left: number | undefined;
}

export interface StageFacts {
  readonly name: string;
  readonly step: number;
  readonly steps: number;
  readonly isDone: boolean;
}

export interface RunList {
  readonly runs: readonly Run[];
}

export interface LogEntry {
  readonly stage: string;
  readonly step: number;
  readonly values: Readonly<Record<string, number>>;
}

export interface CurveFacts {
  readonly stage: string;
  readonly name: string;
  /** One plain line, where there is one. */
  readonly description: string | undefined;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface SheetFacts {
  /** For `/api/runs/:id/sheets/:name`. */
  readonly name: string;
  readonly stage: string;
  readonly step: number;
}

export interface RunDetails {
  readonly run: Run;
  /** Recipe and further settings by path, as text. */
  readonly settings: Readonly<Record<string, string>>;
  readonly curves: readonly CurveFacts[];
  /** In order of stages and steps. */
  readonly sheets: readonly SheetFacts[];
  /** Codes in use and their perplexity, newest numbers; undefined before the tokenizer has any. */
  readonly codebook:
    | { readonly codes: number; readonly used: number | undefined; readonly perplexity: number | undefined }
    | undefined;
  /** The last lines that training has printed. */
  readonly log: readonly string[];
}

export interface RunComparison {
  readonly a: Run;
  readonly b: Run;
  readonly differences: readonly { readonly name: string; readonly a: string; readonly b: string }[];
  readonly curves: { readonly a: readonly CurveFacts[]; readonly b: readonly CurveFacts[] };
}

/** A run that generates; null is the model that the studio was started with. */
export interface ModelChoice {
  readonly run: string | null;
}
