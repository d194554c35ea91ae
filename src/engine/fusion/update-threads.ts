/**
 * Threads that take a share of fused updates. ONNX Runtime for Node takes no shared memory, so the arrays of a share are handed over to a
 * thread and back, which moves no bytes.
 */

import { Worker } from 'node:worker_threads';
import type { FusedLoop } from './fuse.ts';

/** What a thread is told: the loops of a program, once, or to run them. */
export type Share =
  | { readonly program: number; readonly loops: readonly FusedLoop[] }
  | {
      readonly program: number;
      /** The values of each loop's scalars. */
      readonly scalars: readonly (readonly number[])[];
      readonly arrays: LoopArrays;
    };

/** The arrays of each loop, each with a buffer to itself. */
export type LoopArrays = readonly (readonly Float32Array[])[];

export const buffersIn = (arrays: LoopArrays): ArrayBuffer[] =>
  arrays.flatMap((of) => of.map(({ buffer }) => buffer as ArrayBuffer));

/** Runs its loops once, in place; the arrays that come back lie where those that were given lay. */
export type Helper = (scalars: readonly (readonly number[])[], arrays: LoopArrays) => Promise<LoopArrays>;

export interface Helpers {
  /** How many there may be. */
  readonly size: number;
  /** Gives loops to number `index`. */
  helper(index: number, loops: readonly FusedLoop[]): Helper;
}

/** In all. Updates wait for memory, which a few threads keep busy. */
const MOST = 4;

export class UpdateThreads implements Helpers {
  private readonly workers: Worker[] = [];
  private programs = 0;

  /** `threads` in all, with that of the caller. They start when there is work for them. */
  constructor(private readonly threads: number) {}

  get size(): number {
    return Math.min(this.threads, MOST) - 1;
  }

  helper(index: number, loops: readonly FusedLoop[]): Helper {
    const worker =
      this.workers[index] ?? new Worker(new URL('./update-worker.js', import.meta.url), { name: 'clipvq update' });
    this.workers[index] = worker;
    const program = this.programs++;
    worker.postMessage({ program, loops } satisfies Share);
    return (scalars, arrays) =>
      new Promise((resolve, reject) => {
        const settle = (answer: LoopArrays) => {
          worker.off('error', reject);
          resolve(answer);
        };
        worker.once('message', settle);
        worker.once('error', reject);
        worker.postMessage({ program, scalars, arrays } satisfies Share, buffersIn(arrays));
      });
  }
}
