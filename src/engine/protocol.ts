/** What the engine and its worker say to each other. Every request carries an id and is answered once. */

import type { DType, NDArray } from '../base/ndarray.ts';
import type { Spec } from '../graph/index.ts';
import type { FusedPlan } from './fusion/fuse.ts';
import type { Profiler } from './profile/profiler.ts';

/** An ONNX Runtime execution provider. `cpu` and `webgpu` are tested here; other names are passed through. */
export type Device = string;

export interface EngineOptions {
  readonly device?: Device;
  /** Threads inside one operator; 0 lets ONNX Runtime choose (one for each core). */
  readonly threads?: number;
  /** Whether threads wait for work spinning without an end: no faster on an idle machine, much slower on a busy one. */
  readonly spin?: boolean;
  /** Records where the time goes. */
  readonly profiler?: Profiler | undefined;
}

/** What a worker is started with. */
export interface WorkerOptions extends Omit<EngineOptions, 'profiler'> {
  /** Beginning of the names of the files that programs are profiled to. */
  readonly profile?: string | undefined;
}

/** Runs of a program that are recorded operator by operator; a trace of more would be hard to open. */
export const PROFILED_RUNS = 20;

export interface CompileOptions {
  /** What a profile calls it. */
  readonly name?: string;
  /**
   * Write new state over the old one instead of into a second buffer. Only for programs in which whatever reads a piece of
   * state has done so before its successor is written: elementwise updates, and state that is written and not read.
   * Memory on a device is managed by its provider, which this leaves alone. On the CPU a program of nothing but elementwise
   * arithmetic becomes one loop for each group of arrays (`fuse.ts`).
   */
  readonly inPlace?: boolean;
  /**
   * Keep the memory of intermediate values for the next run, which is faster, instead of giving it back to the system. By default
   * only programs that do not work in place do.
   */
  readonly arena?: boolean;
  /**
   * Programs of different phases are not there at the same time: whoever compiles them releases those of one phase before those of the next
   * run. Told for the sake of `footprint`; a program of no phase is there from beginning to end.
   */
  readonly phase?: string;
  /** On the CPU, run elementwise updates of state as fused loops; true unless told, which tests do. */
  readonly fuse?: boolean;
}

export type Arrays = Readonly<Record<string, NDArray>>;

/** An output as its reader knows it. */
export interface OutputSpec extends Spec {
  /** The shape in which the session computes it, where that is another. */
  readonly computed?: readonly number[];
}

export type Request =
  | {
      readonly kind: 'compile';
      readonly program: number;
      readonly model: Uint8Array;
      readonly inputs: readonly string[];
      readonly outputs: Readonly<Record<string, OutputSpec>>;
      readonly inPlace: boolean;
      readonly arena: boolean;
      /** What to do with the state once the program has run. */
      readonly update?: FusedPlan | undefined;
    }
  | { readonly kind: 'fuse'; readonly program: number; readonly plan: FusedPlan }
  | { readonly kind: 'release'; readonly program: number }
  | { readonly kind: 'run'; readonly program: number; readonly feeds: Arrays }
  | { readonly kind: 'load'; readonly name: string; readonly array: NDArray }
  | { readonly kind: 'read'; readonly prefix: string }
  | { readonly kind: 'drop'; readonly prefix: string }
  | { readonly kind: 'describe'; readonly prefix: string }
  /** What has crossed between host and device since the last time somebody asked. */
  | { readonly kind: 'transfers' }
  /** Finish the profiles of all programs. */
  | { readonly kind: 'endProfiles' };

export interface Call {
  readonly id: number;
  readonly request: Request;
}

/** Tensors that lay on the host when a program began or ended, and their bytes: on another device than the CPU they crossed to it or from it. */
export interface Crossing {
  readonly tensors: number;
  readonly bytes: number;
}

/** What runs of programs have moved, by direction and kind. */
export interface Transfers {
  readonly feeds: Crossing;
  readonly stateIn: Crossing;
  readonly results: Crossing;
  readonly stateOut: Crossing;
}

/** What is known of a state tensor without fetching it. */
export interface StateTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** `cpu` or `gpu-buffer`. */
  readonly location: string;
}

/** When a run began, when ONNX Runtime was done with it, and when the fused update behind it was, by the profiler's clock. */
export interface RunTimes {
  readonly begun: number;
  readonly ended: number;
  readonly updated: number;
}

export type Answer =
  | { readonly id: number; readonly arrays: Arrays }
  /** `feeds` are the buffers that the feeds came in. */
  | { readonly id: number; readonly arrays: Arrays; readonly ran: RunTimes; readonly feeds: readonly ArrayBuffer[] }
  | { readonly id: number; readonly state: Readonly<Record<string, StateTensor>> }
  | { readonly id: number; readonly transfers: Transfers }
  | { readonly id: number; readonly error: string };

/**
 * Inputs and outputs under this name are state: the worker keeps them between runs, shared by all programs of an engine.
 * A program that returns `state.x` replaces what the next run reads as `state.x`.
 */
export const STATE = 'state';

export const isState = (name: string): boolean => name.startsWith(`${STATE}.`);

/** ONNX wants the names of inputs and outputs apart, while `state.x` is both. */
export const outputName = (path: string): string => `next:${path}`;
