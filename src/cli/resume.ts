/**
 * What `--resume` may change of a run: how long its stages are, their learning rates, and where its pictures and its
 * CLIP lie.
 */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { changedRecipe } from '../recipe/recipe.ts';
import type { Recipe } from '../recipe/schema.ts';
import { RunDirectory, type RunSettings } from '../run/directory.ts';
import { checkpointFacts, checkpointFiles } from '../training/checkpoint.ts';
import { lengthened, lengthNote, longerSteps } from '../training/lengths.ts';
import type { StageName } from '../training/stages.ts';

export interface ResumeOptions {
  readonly data?: string | undefined;
  readonly clip?: string | undefined;
  readonly preset?: string | undefined;
  readonly seed?: number | undefined;
  readonly set?: Readonly<Record<string, string>> | undefined;
  readonly stage: StageName | 'all';
  readonly maxSteps?: number | undefined;
  readonly longer?: string | undefined;
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
 * @throws UserError where something is asked for that it was not started with and that cannot be changed.
 */
export function openResumed(folder: string, options: ResumeOptions): Resumed {
  const run = RunDirectory.open(folder);
  const { settings } = run;
  const differs = (name: string, given: string | number | undefined, is: string | number) => {
    if (given !== undefined && given !== is)
      throw new UserError(
        `${folder} was started with ${name} ${is}: a resumed run keeps its settings; leave ${name} out or start another run`,
      );
  };
  differs('--preset', options.preset, settings.recipe.preset);
  differs('--seed', options.seed, settings.seed);
  if (options.data !== undefined && options.data !== settings.data && isDrawn(options.data) !== isDrawn(settings.data))
    differs('--data', options.data, settings.data);
  if (options.clip !== undefined && (options.clip === 'compact') !== (settings.clip === 'compact'))
    differs('--clip', options.clip, settings.clip);
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
  for (const stage of lengthenedStages(options, recipe)) {
    const steps = targetOf(options, run, recipe, stage);
    if (steps !== undefined) recipe = relengthed(run, recipe, stage, steps, notes);
  }
  const { data = settings.data, clip = settings.clip } = options;
  if (path.isAbsolute(data) && !fs.existsSync(data))
    throw new UserError(
      `The pictures of ${folder} are not in ${data} any more: name their place with --data (the same pictures elsewhere do)`,
    );
  return { run, settings: { ...settings, data, clip, recipe }, notes };
}

const isDrawn = (data: string): boolean => data === 'faces' || data === 'fashion-mnist';

/** The stages that `--max-steps` and `--longer` are about: without `--stage`, all, or the one whose model generates. */
function lengthenedStages({ stage, maxSteps, longer }: ResumeOptions, { finetune }: Recipe): StageName[] {
  if (stage !== 'all') return [stage];
  if (longer !== undefined) return [finetune.steps > 0 ? 'finetune' : 'diffusion'];
  return maxSteps === undefined ? [] : ['clip', 'tokenizer', 'diffusion', 'finetune'];
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
  // A run that was begun with fewer steps than its preset has may come to all of them.
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
