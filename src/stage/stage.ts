/** A training stage as the trainer sees it: something that prepares, steps, and exports. */

import type { NDArray, Tree } from '../base/ndarray.ts';

/** Numbers of one step, for the log and the progress line; `loss` is always among them. */
export type Metrics = { readonly loss: number; readonly [name: string]: number };

/** Names and hashes of what something was made from. */
export type Lineage = Readonly<Record<string, string>>;

export interface Stage {
  readonly name: string;
  readonly steps: number;
  /** Pictures a step. */
  readonly batch: number;
  /** Identity of all that the stage learns from and of its settings: a checkpoint with another one is not resumed. */
  readonly fingerprint: string;
  /**
   * The parts of that identity, each under its name: what a checkpoint says of itself, so that it is known what has
   * changed.
   */
  readonly madeFrom?: Lineage | undefined;
  /** Paths of the engine's state that every step writes before it reads: a checkpoint leaves them out. */
  readonly transient?: readonly string[];
  /** Compile the programs and put the first state into the engine, under `state`. */
  prepare(): Promise<void>;
  /**
   * Run step `step`, counted from 0, with `rate` times the learning rate that the settings have for it (1 by default).
   * The result is a pure function of the state, the step and the rate, so that a resumed run repeats it.
   */
  run(step: number, rate?: number): Promise<Metrics>;
  /** What a step does beside learning, called in place of `run` where a step is left out. */
  skip?(step: number): Promise<void>;
  /** Where ranks make steps for themselves: what each has learned since they parted comes together on all of them. */
  meet?(): Promise<void>;
  /** Called after a step, with the number of steps done: a sentence where further ones are of no use, and it ends. */
  enough?(step: number): string | undefined;
  /** The learning rate that step `step` has by the settings, for the log. To be called before the step is run. */
  learningRate?(step: number): number;
  /** Milliseconds that the steps so far have waited for their pictures, where a stage reads any. */
  waited?(): number;
  /** What the trainer must keep besides the engine's state, such as loss histories. */
  hostState(): Readonly<Record<string, NDArray>>;
  /** Take up what `hostState` gave. */
  restore(host: Readonly<Record<string, NDArray>>): void;
  /** The parameters as `export` would write them now, a copy, where they can be shown in pictures. */
  weights?(): Promise<Tree<NDArray>>;
  /** Write the trained model into the run directory, with `texts` in its metadata. */
  export(texts?: Lineage): Promise<void>;
}
