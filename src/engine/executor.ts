/**
 * What computes programs: the engine of this package on Node, onnxruntime-web in a browser. Types alone, so that code
 * for every platform may import them.
 */

import type { NDArray, Tree } from '../base/ndarray.ts';
import type { Program } from '../graph/index.ts';

/**
 * Where programs are computed: an ONNX Runtime execution provider. `cpu` and `webgpu` are tested; other names are
 * passed through.
 */
export type Device = string;

export interface CompileOptions {
  /** Its name in a profile. */
  readonly name?: string;
  /**
   * Write new state over the old one instead of into a second buffer. Only for programs in which whatever reads a piece
   * of state has done so before its successor is written: elementwise updates, and state that is written and not read.
   * Memory on a device is managed by its provider, which this leaves alone. On the CPU a program of nothing but
   * elementwise arithmetic becomes one loop for each group of arrays (`fusion/`).
   */
  readonly inPlace?: boolean;
  /**
   * Keep the memory of intermediate values for the next run, which is faster, instead of giving it back to the system.
   * By default only programs that do not work in place do.
   */
  readonly arena?: boolean;
  /**
   * Programs of different phases are never in memory together: the caller releases those of one phase before those of
   * the next run. Used for `footprint`; a program without a phase is in memory from beginning to end.
   */
  readonly phase?: string;
  /** On the CPU, run elementwise updates of state as fused loops; true by default. */
  readonly fuse?: boolean;
}

/** A compiled program. */
export interface Executable {
  /**
   * Run once. `feeds` are the inputs outside `state`; the result holds the outputs outside `state`, by dotted path.
   * @throws Error if a feed is missing, unknown, or of another shape or type than traced.
   */
  run(feeds: Tree<NDArray>): Promise<Record<string, NDArray>>;
  /** Give back the memory that the program holds. It cannot run any more. */
  release(): Promise<void>;
}

/** Compiles programs, runs them, and keeps the state that they share. */
export interface Executor {
  readonly device: Device;
  /** Turn a traced program into something that runs. */
  compile(program: Program, options?: CompileOptions): Promise<Executable>;
  /**
   * Hand arrays over to the state, under the paths a program reads them by: `give({ params })` feeds `state.params…`.
   * They may be empty afterwards.
   * @throws Error if one does not have a buffer to itself.
   */
  give(state: Tree<NDArray>): Promise<void>;
  /**
   * Move a part of the state onto the device, for programs that read it again and again and do not replace it. Where
   * state lies on the device anyway there is nothing to do.
   */
  upload(path: string): Promise<void>;
}
