/** What a stage gets of the run that it belongs to: one value, handed on whole from the command to the stage. */

import type { NDArray, Tree } from '../base/ndarray.ts';
import type { EngineOptions } from '../engine/engine.ts';
import type { Ranks } from '../mpi/ranks.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { TrainingDisplay } from './display.ts';
import type { LocalSteps } from './local-steps.ts';

/** What a run was started with. */
export interface RunSettings {
  readonly seed: number;
  /** A folder of pictures, or `faces`. */
  readonly data: string;
  /** `compact` for the CLIP trained in this run, else a folder or hub name that @huggingface/transformers loads. */
  readonly clip: string;
  readonly recipe: Recipe;
  /** Steps that stages would have by the preset, where the run was begun with fewer. */
  readonly fullSteps?: { readonly [stage: string]: number | undefined } | undefined;
  /** Stages that the last command has made longer: each goes on with what the others of them have become. */
  readonly lengthened?: readonly string[] | undefined;
}

/** A run directory as stages see it: its settings, and the models in it by the name of their stage. */
export interface RunFiles {
  readonly path: string;
  readonly settings: RunSettings;
  /** Where the compact CLIP of this run lies. */
  readonly clipFolder: string;
  file(...parts: string[]): string;
  hasModel(stage: string): boolean;
  /** @throws UserError if the stage has not been trained yet, or its file is damaged or foreign. */
  readModel(stage: string): { readonly tensors: Readonly<Record<string, NDArray>> };
  saveModel(stage: string, params: Tree<NDArray>, metadata: Readonly<Record<string, string>>): void;
  forgetModel(stage: string): void;
  /** SHA-256 of a stage's trained weights, in hex. */
  stageHash(stage: string): string;
  writeJson(name: string, value: unknown): void;
}

/** The display, and the signal that stops the run. */
export interface Watch {
  readonly signal: AbortSignal;
  readonly display: TrainingDisplay;
}

/** The run, its display and signal, and what it computes with. */
export interface StageContext extends Watch {
  readonly run: RunFiles;
  readonly engineOptions: EngineOptions;
  /** The processes that train together; by default this one alone. */
  readonly ranks?: Ranks | undefined;
  /** Ranks make steps for themselves, and meet now and then; by default they make every step together. */
  readonly sync?: LocalSteps | undefined;
  /** Where the weights of LPIPS come from, where the recipe uses them: a folder, or by default the cache. */
  readonly lpips?: { readonly folder?: string | undefined; readonly offline?: boolean | undefined } | undefined;
}
