/** What training reports while it works; the command line draws it. */

import type { Metrics } from './stage.ts';

/** What a display needs to draw a progress line. */
export interface Progress {
  readonly stage: string;
  /** Steps done, and steps in all. */
  readonly step: number;
  readonly steps: number;
  readonly metrics: Metrics;
  /** Steps a second, lately. */
  readonly rate: number;
  readonly secondsLeft: number;
  /** Share of the time, lately, in which the stage waited for pictures; undefined where it reads none. */
  readonly waiting: number | undefined;
  /** How the time of this rank, lately, was spent where several train together. */
  readonly ranks?: RankShares | undefined;
}

/** Shares of the time; the rest is computing. */
export interface RankShares {
  readonly size: number;
  /** For the slowest rank. */
  readonly waiting: number;
  readonly communicating: number;
}

export interface TrainingDisplay {
  /** A training step was done. */
  step(progress: Progress): void;
  /** Work that counts things begins; call the result as it goes on. */
  count(what: string): (done: number, total: number) => void;
  /** A sentence for the user. */
  note(text: string): void;
}
