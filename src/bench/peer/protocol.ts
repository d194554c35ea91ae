/** What the benchmark asks of each side, one request at a time. Ours hears it as messages, PyTorch's as JSON lines. */

import type { Device } from '../../engine/engine.ts';
import type { Job } from './jobs.ts';

export type Request =
  /** Load weights and make ready. `file` holds weights and feeds. */
  | {
      readonly kind: 'prepare';
      readonly job: Job;
      readonly file: string;
      readonly threads: number;
      readonly spin: boolean;
      /** Where we compute. */
      readonly device: Device;
      /** Where PyTorch is to compute: with `gpu`, with CUDA if it can. */
      readonly pytorch: 'cpu' | 'gpu';
    }
  /** Numbers that both sides must agree on. */
  | { readonly kind: 'check' }
  /**
   * Steps that follow each other for at least so many milliseconds, timed. `tf32` allows PyTorch on CUDA the tensor cores' short factors;
   * without it everything is float32.
   */
  | { readonly kind: 'round'; readonly leastMs: number; readonly tf32?: boolean }
  /** The most memory the process has held. */
  | { readonly kind: 'peak' };

export interface Answers {
  readonly prepare: {
    readonly versions: Readonly<Record<string, string>>;
    readonly threads: number;
    /** Where it computes: `cpu`, `webgpu`, …; of PyTorch, `cpu` or `cuda`. */
    readonly device: Device;
  };
  readonly check: { readonly values: readonly number[] };
  /** Mean milliseconds of a step. */
  readonly round: { readonly ms: number };
  readonly peak: { readonly peakMB: number };
}

export type Kind = Request['kind'];
export type Answer = Answers[Kind] | { readonly error: string };
