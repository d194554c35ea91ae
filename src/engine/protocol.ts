/** What passes between the engine and its worker. */

import type { DType, NDArray } from '../base/ndarray.ts';
import type { Spec } from '../graph/index.ts';
import type { Device } from './executor.ts';
import type { FusedPlan } from './fusion/plan.ts';
import type { Profiler } from './profile/profiler.ts';

/** No machine has use for more threads in one operator. */
export const MOST_THREADS = 1024;

/** What programs are computed on. */
export interface EngineOptions {
  readonly device?: Device;
  /** Threads inside one operator; 0 lets ONNX Runtime choose: one for each core. */
  readonly threads?: number;
  /** Whether threads wait for work spinning without an end: no faster on an idle machine, much slower on a busy one. */
  readonly spin?: boolean;
  /** Records where the time goes. @internal */
  readonly profiler?: Profiler | undefined;
}

/** What a worker is started with. */
export interface WorkerOptions extends Omit<EngineOptions, 'profiler'> {
  /** Beginning of the names of the files that programs are profiled to. */
  readonly profile?: string | undefined;
}

/** Runs of a program that are recorded operator by operator; a trace of more would be hard to open. */
export const PROFILED_RUNS = 20;

export type Arrays = Readonly<Record<string, NDArray>>;

/** An output with the shape that was traced. */
export interface OutputSpec extends Spec {
  /** The shape in which the session computes it, where that is another. */
  readonly computed?: readonly number[];
}

/** A program for the runtime, as the worker needs it. */
export interface CompileRequest {
  readonly program: number;
  /** Its name in error messages. */
  readonly name: string;
  readonly model: Uint8Array;
  readonly inputs: readonly string[];
  readonly outputs: Readonly<Record<string, OutputSpec>>;
  readonly inPlace: boolean;
  readonly arena: boolean;
  /** What to do with the state once the program has run. */
  readonly update?: FusedPlan | undefined;
}

export interface RunReply {
  readonly arrays: Arrays;
  readonly ran: RunTimes;
  /** The buffers that the feeds came in. */
  readonly feeds: readonly ArrayBuffer[];
}

/** What the worker does for the engine. State goes by its full path; a prefix means all of the state under it. */
export interface EngineCalls {
  compile(request: CompileRequest): void;
  /** A program that is nothing but a fused update. */
  fuse(request: { readonly program: number; readonly plan: FusedPlan }): void;
  release(request: { readonly program: number }): void;
  run(request: { readonly program: number; readonly feeds: Arrays }): RunReply;
  load(request: { readonly arrays: Arrays }): void;
  read(request: { readonly names: readonly string[] }): Arrays;
  /** Float32 tensors of the state one after another, as one array; and back. */
  pack(request: { readonly names: readonly string[] }): Float32Array;
  unpack(request: { readonly names: readonly string[]; readonly data: Float32Array }): void;
  drop(request: { readonly prefix: string }): void;
  describe(request: { readonly prefix: string }): Readonly<Record<string, StateTensor>>;
  /** What has crossed between host and device since the last call. */
  transfers(request: Nothing): Transfers;
  /** Finish the profiles of all programs. */
  endProfiles(request: Nothing): void;
}

export type Nothing = Readonly<Record<never, never>>;

/**
 * Tensors that lay on the host when a program began or ended, and their bytes: on another device than the CPU they
 * crossed to it or from it.
 */
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

/**
 * When a run began, when ONNX Runtime was done with it, and when the fused update behind it was, by the profiler's
 * clock.
 */
export interface RunTimes {
  readonly begun: number;
  readonly ended: number;
  readonly updated: number;
}
