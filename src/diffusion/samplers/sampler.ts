/**
 * The interface of samplers: they turn a denoiser into tokens, and know neither the network nor the device it runs on.
 */
import type { Schedule } from '../schedule.ts';

/**
 * log p_theta(x_0 | x_t, t, h) for a batch, guidance already applied: takes x_t `[batch, tokens]` and one time for all
 * of them, returns natural logarithms `[batch, tokens, K]`. It may read the tokens but not change or transfer them: the
 * step still needs them.
 */
export type Denoiser = (tokens: Int32Array<ArrayBuffer>, t: number) => Promise<Float32Array>;

/** `even`: evenly spaced times; `cosine`: few tokens revealed first, many later. */
export type Placement = 'even' | 'cosine';

export interface SamplerOptions {
  readonly schedule: Schedule;
  readonly batch: number;
  /** Tokens of one image. */
  readonly tokens: number;
  /** Reverse steps, 1 .. T. Fewer than T stride evenly over the schedule; each strided step is exact. */
  readonly steps: number;
  /** Where the times of fewer than T steps lie, for samplers that can choose; `even` unless told. */
  readonly placement?: Placement | undefined;
  /** The largest probability with which the corrector masks a token again. */
  readonly remasking?: number | undefined;
  /** Top-r truncation rate in (0, 1], or undefined for none. */
  readonly truncation: number | undefined;
  /**
   * Each image draws from (seed, its own sample index) alone, whoever shares its batch. `samples` has `batch` entries.
   */
  readonly noise: { readonly seed: number; readonly samples: ArrayLike<number> };
  /** Called after every reverse step, and awaited before the next; what it returns is ignored. */
  readonly onStep?: (progress: SamplerProgress) => unknown;
  /** Checked before every step; the sampler rejects with its reason. */
  readonly signal?: AbortSignal;
}

export interface SamplerProgress {
  /** Steps done, 1 .. steps. */
  readonly step: number;
  readonly steps: number;
  /** The time the tokens are at now; -1 when they are clean. */
  readonly time: number;
  /** x at that time, `[batch, tokens]`; still masked positions hold K. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** What the network predicted at this step, log p_theta(x_0), guided and before truncation: `[batch, tokens, K]`. */
  readonly prediction: Float32Array;
}

/** Resolves to clean tokens x_0, `[batch, tokens]`, each in 0 .. K-1. */
export type Sampler = (denoise: Denoiser, options: SamplerOptions) => Promise<Int32Array<ArrayBuffer>>;
