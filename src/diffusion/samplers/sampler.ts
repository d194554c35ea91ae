/**
 * The interface of samplers: they draw tokens with a denoiser, and depend neither on the network nor on the device it
 * runs on. A sampler is one file that exports its definition as `sampler`, and one line of `registry.ts`.
 */
import type * as z from 'zod';
import type { Schedule } from '../process/schedule.ts';

/**
 * log p_theta(x_0 | x_t, t, h) for a batch, guidance already applied: takes x_t `[batch, tokens]` and one time for all
 * of them, returns natural logarithms `[batch, tokens, K]`. It may read the tokens but not change or transfer them: the
 * step still needs them.
 */
export type Denoiser = (tokens: Int32Array<ArrayBuffer>, t: number) => Promise<Float32Array>;

/** What a sampler draws, and how it reports. */
export interface SamplerOptions {
  readonly schedule: Schedule;
  readonly batch: number;
  /** Tokens of one image. */
  readonly tokens: number;
  /** Reverse steps, 1 .. T. Fewer than T stride evenly over the schedule; each strided step is exact. */
  readonly steps: number;
  /** Top-r truncation rate in (0, 1], or undefined for none. */
  readonly truncation: number | undefined;
  /**
   * Each image draws from (seed, its own sample index) alone, whatever else is in its batch. `samples` has `batch`
   * entries.
   */
  readonly noise: { readonly seed: number; readonly samples: ArrayLike<number> };
  /** Called after every reverse step, and awaited before the next; what it returns is ignored. */
  readonly onStep?: (progress: SamplerProgress) => unknown;
  /** Checked before every step; the sampler rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** A reverse step that is done. */
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

/** Resolves to clean tokens x_0, `[batch, tokens]`, each in 0 .. K-1. `Own` are the sampler's own settings. */
export type Sampler<Own = unknown> = (
  denoise: Denoiser,
  options: SamplerOptions & Own,
) => Promise<Int32Array<ArrayBuffer>>;

/** What limits the number of steps of a chain. */
export interface ChainLength {
  /** T, the times of the schedule. */
  readonly times: number;
  /** Tokens of one image. */
  readonly tokens: number;
}

/** A value for each setting of a shape. */
export type ValuesOf<Shape extends z.core.$ZodLooseShape> = {
  readonly [Setting in keyof Shape]: z.output<Shape[Setting]>;
};

/** Everything that the recipe, the command line, the bench and the documentation read of a sampler. */
export interface SamplerDefinition<Shape extends z.core.$ZodLooseShape> {
  /** As in `sampling.sampler` of a recipe; the file is called so too. */
  readonly name: string;
  /** What it does, in a line. */
  readonly description: string;
  /** Whether it draws from the model's distribution, for the table of docs/samplers.md. */
  readonly exact: string;
  /**
   * Its own settings, each with a description and a default. They lie flat in `sampling` of a recipe, in front of
   * `steps`; samplers that share a setting share the schema.
   */
  readonly settings: Shape;
  /** The fewest and the most steps it can take; from 1 to T by default. */
  readonly steps?: (chain: ChainLength) => { readonly least: number; readonly most: number };
  /** Its settings as `clipvq bench samplers` tries them, by the name in the table; nothing is tried by default. */
  readonly trials?: Readonly<Record<string, Partial<ValuesOf<Shape>>>>;
  readonly draw: Sampler<ValuesOf<Shape>>;
}

/** A definition, typed by its own settings. */
export const defineSampler = <Shape extends z.core.$ZodLooseShape>(
  definition: SamplerDefinition<Shape>,
): SamplerDefinition<Shape> => definition;
