/** The requests of the benchmark to each side, one at a time: to ours as messages, to PyTorch's as JSON lines. */

import type { Device } from '../../engine/engine.ts';
import type { Job } from './jobs.ts';

export interface PrepareRequest {
  readonly job: Job;
  /** Holds weights and feeds. */
  readonly file: string;
  readonly threads: number;
  readonly spin: boolean;
  /** Where we compute. */
  readonly device: Device;
  /** Where PyTorch is to compute: with `gpu`, with CUDA if it can. */
  readonly pytorch: 'cpu' | 'gpu';
}

export interface Prepared {
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: number;
  /** Where it computes: `cpu`, `webgpu`, …; of PyTorch, `cpu` or `cuda`. */
  readonly device: Device;
}

export interface RoundRequest {
  /** Steps follow each other for at least so long. */
  readonly leastMs: number;
  /** Allows PyTorch on CUDA the tensor cores' short factors; without it everything is float32. */
  readonly tf32?: boolean;
}

/** What each side does. */
export interface PeerCalls {
  /** Load weights and make ready. */
  prepare(request: PrepareRequest): Prepared;
  /** Numbers that both sides must agree on. */
  check(request: Nothing): readonly number[];
  /** Mean milliseconds of a step. */
  round(request: RoundRequest): number;
  /** The most memory the process has held, in MiB. */
  peak(request: Nothing): number;
}

export type Nothing = Readonly<Record<never, never>>;
