/** Training as one call: from pictures to a run directory. */

import fs from 'node:fs';
import path from 'node:path';
import { Interrupted, UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import type { ClipReport } from '../clip/report.ts';
import { isNamedSource } from '../data/sources/open.ts';
import { hasPairs, isPairsFile } from '../data/sources/pairs.ts';
import { openEmbedder } from '../embedding/embedder.ts';
import { isToBeFetched } from '../embedding/sources/clip-source.ts';
import { DEFAULT_CLIP } from '../embedding/sources/default-clip.ts';
import type { EngineOptions } from '../engine/engine.ts';
import { changedRecipe, makeRecipe } from '../recipe/recipe.ts';
import type { Recipe } from '../recipe/schema.ts';
import { RunDirectory, type RunSettings } from '../run/directory.ts';
import type { Progress, TrainingDisplay } from '../stage/display.ts';
import { cappedSettings } from './lengths/lengths.ts';
import { suitedToPictures } from './lengths/suited.ts';
import { holdingOut } from './pictures/held-out.ts';
import { openPictures } from './pictures/pictures.ts';
import { trainPipeline } from './pipeline.ts';
import { openResumed, type Resumed } from './resumed.ts';
import { type StageName, stagesOf } from './stages.ts';

/** A value of a setting; text is taken as the command line takes it. */
export type SettingValue = string | number | boolean | readonly (string | number)[];

/** A step of a stage, or work that counts things, such as checking and encoding pictures. */
export type TrainingProgress =
  | ({ readonly kind: 'step' } & Progress)
  | { readonly kind: 'count'; readonly what: string; readonly done: number; readonly total: number };

export interface TrainingOptions extends Pick<EngineOptions, 'device' | 'threads'> {
  /**
   * A folder, .zip, .tar or Parquet file of pictures; or `faces` or `fashion-mnist`. Not needed for a resumed run,
   * which holds it.
   */
  readonly data?: string | undefined;
  /** The folder of the run, which becomes the model. */
  readonly run: string;
  /** Go on with the run in that folder. By default an existing run is refused. */
  readonly resume?: boolean | undefined;
  /** Sizes and lengths to start from; `nano` by default. */
  readonly preset?: string | undefined;
  /** A whole recipe, instead of a preset. */
  readonly recipe?: Recipe | undefined;
  /** Settings to change, by dotted name: `{ 'diffusion.steps': 5000 }`. */
  readonly set?: Readonly<Record<string, SettingValue>> | undefined;
  /** Seed of everything random; 0 by default. */
  readonly seed?: number | undefined;
  /** A folder or hub name of a CLIP, or `compact` to train one on captions; by default what suits the pictures. */
  readonly clip?: string | undefined;
  /** Fetch nothing. */
  readonly offline?: boolean | undefined;
  /** The stages to train; all by default. */
  readonly stages?: readonly StageName[] | undefined;
  /**
   * No stage longer than so many steps in all; schedules end there. A resumed run that was begun with fewer than its
   * preset has trains so many in all.
   */
  readonly maxSteps?: number | undefined;
  /**
   * With `resume`: how long the diffusion model, or each of `stages`, becomes: `2x` for twice as long, `+1000` for so
   * many more steps, `3000` for so many in all. Schedules follow.
   */
  readonly longer?: string | undefined;
  /**
   * With `resume`: what to do with a stage whose pictures or models have changed since it was trained. By default it
   * goes on where only pictures have, and is refused where models have.
   */
  readonly changed?: 'go-on' | 'restart' | undefined;
  /** Steps between checkpoints; 500 by default. There is one at the end and one when training is stopped, too. */
  readonly checkpointEvery?: number | undefined;
  /** Bytes that the process may hold. */
  readonly memory?: number | undefined;
  /** Stops training after the current step, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TrainingProgress) => void) | undefined;
  /** Called with each sentence for the user. */
  readonly onNote?: ((note: string) => void) | undefined;
}

export interface TrainingResult {
  /** The run directory, for `Generator.load`. */
  readonly run: string;
  /** Seconds of each stage. */
  readonly seconds: Readonly<Record<string, number>>;
  /** The measurements of a CLIP that was trained now. */
  readonly clip: ClipReport | undefined;
}

/**
 * Train a model on pictures.
 * @throws UserError for what the caller can mend, before anything is written where that can be known.
 * @throws Interrupted when the signal fires: `resume: true` goes on where it has stopped.
 */
export async function train(options: TrainingOptions): Promise<TrainingResult> {
  const { signal = new AbortController().signal, stages, memory, offline } = options;
  const display = displayOf(options);
  try {
    const again = options.resume ? resumedRun(options) : undefined;
    const resumed = again?.run;
    const settings = again?.settings ?? (await wantedSettings(options, display));
    for (const sentence of again?.notes ?? []) display.note(sentence);
    if (!resumed) RunDirectory.assertFree(options.run);
    signal.throwIfAborted();
    const chosen = stages ?? stagesOf(settings);
    const needsPictures = chosen.some((stage) => stage !== 'clip');
    const needsClip = needsPictures && settings.clip !== 'compact';
    // A CLIP that has to be fetched waits until the pictures are found to be in order.
    const isLater = isToBeFetched(settings.clip, { offline });
    if (needsClip && !isLater) await tryClip(settings.clip, offline, signal, display);
    const pictures = needsPictures ? await openPictures(settings, { signal, display }, resumed) : undefined;
    if (needsClip && isLater) await tryClip(settings.clip, offline, signal, display);
    const run = resumed?.changed(settings) ?? RunDirectory.create(options.run, settings);
    const { seconds, clip } = await trainPipeline({
      run,
      pictures,
      stages: chosen,
      engineOptions: engineOf(options),
      memory,
      resume: resumed !== undefined,
      checkpointEvery: options.checkpointEvery ?? 500,
      changed: options.changed,
      lpips: { folder: undefined, offline },
      signal,
      display,
    });
    return { run: run.path, seconds, clip };
  } catch (error) {
    // A signal may carry any reason; callers get one kind of error for it.
    if (signal.aborted && !(error instanceof UserError) && !(error instanceof Interrupted))
      throw new Interrupted('Stopped');
    throw error;
  }
}

/** The run that goes on, with what the options change of it. */
function resumedRun({ run, recipe, set, data, clip, ...options }: TrainingOptions): Resumed {
  if (recipe)
    throw new UserError('A resumed run keeps its recipe: leave the recipe out; set changes steps and learning rates');
  return openResumed(run, {
    ...options,
    set: asText(set),
    data: data && absolute(data),
    clip: clip && absolute(clip),
  });
}

const engineOf = ({ device, threads }: TrainingOptions): EngineOptions => ({
  ...(device !== undefined && { device }),
  ...(threads !== undefined && { threads }),
});

function displayOf({ onProgress, onNote }: TrainingOptions): TrainingDisplay {
  return {
    step: (progress) => onProgress?.({ kind: 'step', ...progress }),
    count: (what) => (done, total) => onProgress?.({ kind: 'count', what, done, total }),
    note: (text) => onNote?.(text),
  };
}

/** Settings as the recipe's own parser reads them. */
const asText = (set: TrainingOptions['set'] = {}): Record<string, string> =>
  Object.fromEntries(
    Object.entries(set).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  );

/** A preset or a recipe with changes. */
export function recipeOf({ preset, recipe, set }: Pick<TrainingOptions, 'preset' | 'recipe' | 'set'>): Recipe {
  if (recipe && preset !== undefined) throw new UserError('Give a preset or a recipe, not both');
  return recipe ? changedRecipe(recipe, asText(set)) : makeRecipe(preset ?? 'nano', asText(set));
}

/** A whole recipe is taken as it is; a preset has lengths for the pictures. */
async function wantedSettings(options: TrainingOptions, display: TrainingDisplay): Promise<RunSettings> {
  const { maxSteps, recipe, set = {} } = options;
  const given = newSettings(options);
  const suited = recipe ? undefined : await suitedToPictures(given, Object.keys(set));
  if (suited?.note !== undefined && maxSteps === undefined) display.note(suited.note);
  const settings = suited?.settings ?? given;
  return maxSteps === undefined ? settings : cappedSettings(settings, maxSteps);
}

function newSettings(options: TrainingOptions): RunSettings {
  const { data, seed = 0, stages, longer, changed } = options;
  if (longer !== undefined || changed !== undefined)
    throw new UserError(
      `${option(longer !== undefined ? 'longer' : 'changed')} is for existing runs: add ${option('resume')}`,
    );
  if (data === undefined) throw new UserError('Name the pictures to learn from: data is missing');
  if (!Number.isSafeInteger(seed) || seed < 0) throw new UserError(`The seed is ${seed}: give a whole number from 0`);
  const clip = options.clip ?? (hasPairs(data) ? 'compact' : DEFAULT_CLIP.name);
  if (clip === 'compact' && !hasPairs(data))
    throw new UserError(
      `A compact CLIP learns from captions, which ${data} does not have: name another CLIP, a folder or hub name`,
    );
  if (isPairsFile(data) && (stages === undefined || stages.some((stage) => stage !== 'clip')))
    throw new UserError(`${data} holds captioned pictures, which only a CLIP learns from: train the stage clip alone`);
  // A whole recipe is taken as it is.
  const recipe = recipeOf(options.recipe ? options : { ...options, set: holdingOut(data, options.set) });
  return { seed, data: absolute(data), clip: absolute(clip), recipe };
}

/** Folders are remembered by their full path, so that a run can be resumed from anywhere. */
export const absolute = (name: string): string =>
  !isNamedSource(name) && fs.existsSync(name) ? path.resolve(name) : name;

/** Fetch the CLIP, if it is not here yet, and see that it opens, before any training. */
async function tryClip(model: string, offline: boolean | undefined, signal: AbortSignal, display: TrainingDisplay) {
  const onProgress = display.count('fetching the CLIP, bytes');
  const clip = await openEmbedder(model, { offline, signal, onProgress });
  await clip.close();
}
