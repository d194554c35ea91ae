/** A training stage as the trainer sees it: something that prepares, steps, and exports. */

import type { NDArray } from '../base/ndarray.ts';

/** Numbers of one step, for the log and the progress line; `loss` is always among them. */
export type Metrics = { readonly loss: number; readonly [name: string]: number };

export interface Stage {
  readonly name: string;
  readonly steps: number;
  /** Pictures a step. */
  readonly batch: number;
  /** Identity of all that the stage learns from and of its settings: a checkpoint with another one is not resumed. */
  readonly fingerprint: string;
  /** Paths of the engine's state that every step writes before it reads: a checkpoint leaves them out. */
  readonly transient?: readonly string[];
  /** Compile the programs and put the first state into the engine, under `state`. */
  prepare(): Promise<void>;
  /** Run step `step`, counted from 0. The result is a pure function of the state and the step, so that a resumed run repeats it. */
  run(step: number): Promise<Metrics>;
  /** Milliseconds that the steps so far have waited for their pictures, where a stage reads any. */
  waited?(): number;
  /** What the trainer must keep besides the engine's state, such as loss histories. */
  hostState(): Readonly<Record<string, NDArray>>;
  /** Take up what `hostState` gave. */
  restore(host: Readonly<Record<string, NDArray>>): void;
  /** Write the trained model into the run directory. */
  export(): Promise<void>;
}
