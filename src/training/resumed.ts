/**
 * What may change of a run that goes on: how long its stages are, their learning rates, and where its pictures and its
 * CLIP lie.
 */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import { changedRecipe } from '../recipe/recipe.ts';
import type { Recipe } from '../recipe/schema.ts';
import { RunDirectory, type RunSettings } from '../run/directory.ts';
import { lengthened, lengthNote, longerSteps } from './lengths/lengths.ts';
import { checkpointFacts, checkpointFiles } from './loop/checkpoint.ts';
import { type StageName, stages, stagesOf } from './stages.ts';
import type { OnChange } from './standing.ts';

export interface ResumeOptions {
  readonly data?: string | undefined;
  readonly clip?: string | undefined;
  readonly preset?: string | undefined;
  readonly seed?: number | undefined;
  readonly set?: Readonly<Record<string, string>> | undefined;
  /** The stages to train; by default all. */
  readonly stages?: readonly StageName[] | undefined;
  /** Steps of each stage in all, up to those of its preset. */
  readonly maxSteps?: number | undefined;
  /** `2x`, `+1000` or `3000`: how long the stages become, by default the one whose model generates. */
  readonly longer?: string | undefined;
  /** What to do with stages whose models change under them: without it, lengthening those is refused. */
  readonly changed?: OnChange | undefined;
}

/** A run as it goes on, and what has been changed of it, in sentences. */
export interface Resumed {
  readonly run: RunDirectory;
  readonly settings: RunSettings;
  readonly notes: readonly string[];
}

/** Settings of a stage that a resumed run may change, and which pictures there are: new ones join, others stay away. */
const CHANGEABLE =
  /^(?:(clip|tokenizer|diffusion|finetune)\.(steps|learningRate|warmupSteps|minLearningRate)|pictures\.(?:maxPixels|exclude|duplicates))$/;

/**
 * Open a run to go on with it. Nothing is written.
 * @throws UserError for a change that a run cannot take once it has begun.
 */
export function openResumed(folder: string, options: ResumeOptions): Resumed {
  const run = RunDirectory.open(folder);
  const { settings } = run;
  const differs = (name: string, given: string | number | undefined, is: string | number) => {
    if (given !== undefined && given !== is)
      throw new UserError(
        `${folder} was started with ${option(name, is)}: a resumed run keeps its settings; leave ${option(name)} out or start another run`,
      );
  };
  differs('preset', options.preset, settings.recipe.preset);
  differs('seed', options.seed, settings.seed);
  if (options.data !== undefined && options.data !== settings.data && isDrawn(options.data) !== isDrawn(settings.data))
    differs('data', options.data, settings.data);
  if (options.clip !== undefined && (options.clip === 'compact') !== (settings.clip === 'compact'))
    differs('clip', options.clip, settings.clip);
  const notes: string[] = [];
  let recipe = settings.recipe;
  for (const [name, value] of Object.entries(options.set ?? {})) {
    const next = changedRecipe(recipe, { [name]: value });
    if (JSON.stringify(next) === JSON.stringify(recipe)) continue;
    const match = CHANGEABLE.exec(name);
    if (!match)
      throw new UserError(
        `${folder} was started with another ${name}: a resumed run keeps it; leave it out or start another run (steps and learning rates can be changed)`,
      );
    const [, stage, setting] = match;
    if (setting === 'steps') recipe = relengthed(run, recipe, stage as StageName, Number(value), notes);
    else {
      notes.push(`${name} is ${value} from here on`);
      recipe = next;
    }
  }
  for (const stage of lengthenedStages(options, settings)) {
    const steps = targetOf(options, run, recipe, stage);
    if (steps !== undefined) recipe = relengthed(run, recipe, stage, steps, notes);
  }
  refuseToDiscard(run, recipe, options);
  const { data = settings.data, clip = settings.clip } = options;
  if (path.isAbsolute(data) && !fs.existsSync(data))
    throw new UserError(
      `The pictures of ${folder} are not in ${data} any more: name their place with ${option('data')} (the same pictures elsewhere do)`,
    );
  const longer = stagesOf(settings).filter((name) => recipe[name].steps > settings.recipe[name].steps);
  const next = { ...settings, data, clip, recipe };
  return { run, settings: longer.length > 0 ? { ...next, lengthened: longer } : next, notes };
}

const isDrawn = (data: string): boolean => data === 'faces' || data === 'fashion-mnist';

/** The stages that become longer: those that are named, else all of the run, or the one whose model generates. */
function lengthenedStages({ stages: named, maxSteps, longer }: ResumeOptions, settings: RunSettings): StageName[] {
  const own = stagesOf(settings);
  if (named !== undefined) return own.filter((name) => named.includes(name));
  if (longer !== undefined) return own.slice(-1);
  return maxSteps === undefined ? [] : own;
}

/**
 * A stage that is trained further becomes another model. Those that have learned with the one of before go on with it
 * where they are to become longer, too; what becomes of others is chosen, or refused before anything runs.
 */
function refuseToDiscard(run: RunDirectory, recipe: Recipe, { stages: named, changed }: ResumeOptions): void {
  if (changed !== undefined) return;
  const own = stagesOf(run.settings).filter((name) => named === undefined || named.includes(name));
  const before = run.settings.recipe;
  for (const name of own) {
    const done = stepsDone(run, name);
    const learnsWith = stages[name].learnsWith(run.settings);
    const longer = own.find((one) => learnsWith.includes(one) && recipe[one].steps > before[one].steps);
    if (done === 0 || longer === undefined || recipe[name].steps > done) continue;
    throw new UserError(
      `${run.path}: with ${longer} of ${recipe[longer].steps} steps, ${name} (${done} steps) no longer fits: it has learned with the ${longer} model before; add ${option('changed', 'restart')} to train it anew, ${option('changed', 'go-on')} to train it further on the new one, or ${option('stages', name)} to lengthen it alone`,
    );
  }
}

/** How many steps a stage is to have. */
function targetOf(
  { maxSteps, longer }: ResumeOptions,
  run: RunDirectory,
  recipe: Recipe,
  stage: StageName,
): number | undefined {
  const { steps } = recipe[stage];
  if (longer !== undefined) return longerSteps(longer, steps);
  if (maxSteps === undefined || steps === 0) return undefined;
  // A run that was begun with fewer steps than its preset has may train all of them.
  const most = run.settings.fullSteps?.[stage] ?? steps;
  // What is trained already stays trained.
  return Math.max(Math.min(maxSteps, most), stepsDone(run, stage));
}

function stepsDone(run: RunDirectory, stage: StageName): number {
  const [newest] = checkpointFiles(run, { name: stage });
  return checkpointFacts(newest, { name: stage, steps: 0 })?.step ?? 0;
}

function relengthed(run: RunDirectory, recipe: Recipe, stage: StageName, steps: number, notes: string[]): Recipe {
  if (steps === recipe[stage].steps) return recipe;
  const done = stepsDone(run, stage);
  if (steps < done)
    throw new UserError(`${run.path}: ${stage} has ${done} steps already: name more of them, or start another run`);
  const after = lengthened(recipe, stage, steps, done);
  notes.push(lengthNote(stage, recipe, after, done));
  return after;
}
