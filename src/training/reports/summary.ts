/**
 * A run directory in brief, without opening its models: settings, how far its stages are, and whether a process trains
 * it now.
 */

import fs from 'node:fs';
import path from 'node:path';
import { UserError, unlessRefused } from '../../base/errors.ts';
import { RunDirectory } from '../../run/directory.ts';
import { modelProvenance } from '../../run/lineage.ts';
import { type Owner, trainerOf } from '../../run/lock.ts';
import { type CheckpointFacts, checkpointFacts, checkpointFiles } from '../loop/checkpoint.ts';
import { type StageName, stages, stagesOf } from '../stages.ts';
import { lastLogged } from './curves.ts';

export interface StageSummary {
  readonly name: StageName;
  /** Steps that are done or on their way, and in all. */
  readonly step: number;
  readonly steps: number;
  /** Whether there is a model of all its steps. */
  readonly isDone: boolean;
}

export interface RunSummary {
  readonly run: string;
  readonly preset: string;
  readonly data: string;
  readonly stages: readonly StageSummary[];
  /** `training`: a living process has it. `stopped`: steps are left. `done`: none is. */
  readonly state: 'training' | 'stopped' | 'done';
  readonly trainer: Owner | undefined;
  /** When training has last written something, as an ISO date. */
  readonly lastActivity: string;
}

/** @throws UserError if the folder holds no run that can be read. */
export function summarizeRun(folder: string): RunSummary {
  const run = RunDirectory.open(folder);
  const { settings } = run;
  const logged = lastLogged(run.file('log.jsonl'));
  const summaries = stagesOf(settings).map((name): StageSummary => {
    const steps = stages[name].stepsOf(settings.recipe);
    const model = modelStep(run, name);
    const newest = newestFacts(run, name);
    const step = Math.max(newest?.step ?? 0, model ?? 0, logged?.stage === name ? logged.step : 0);
    // A stage may end before its last step because more were of no use.
    const isDone = run.hasModel(name) && ((model ?? steps) >= steps || (newest?.enough ?? false));
    return { name, step: Math.min(step, steps), steps, isDone };
  });
  const trainer = trainerOf(folder);
  const isDone = summaries.every((stage) => stage.isDone);
  return {
    run: folder,
    preset: settings.recipe.preset,
    data: settings.data,
    stages: summaries,
    state: trainer ? 'training' : isDone ? 'done' : 'stopped',
    trainer,
    lastActivity: new Date(lastWritten(run)).toISOString(),
  };
}

/**
 * The runs in a folder and in the folders below it, down to `depth`, the latest first; the folder may be a run itself.
 * What is no run, or one of another version, is left out.
 * @throws UserError if there is no such folder.
 */
export function findRuns(folder: string, depth = 3): RunSummary[] {
  if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new UserError(`There is no folder ${folder}: name one that holds runs`);
  return foldersOfRuns(folder, depth)
    .flatMap((found) => unlessRefused(() => summarizeRun(found)) ?? [])
    .sort((a, b) => b.lastActivity.localeCompare(a.lastActivity));
}

function foldersOfRuns(folder: string, depth: number): string[] {
  if (RunDirectory.exists(folder)) return [folder];
  if (depth === 0) return [];
  let entries: fs.Dirent[];
  try {
    entries = fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    // Not ours to read.
    return [];
  }
  return entries
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules' && !entry.name.startsWith('.'))
    .flatMap(({ name }) => foldersOfRuns(path.join(folder, name), depth - 1));
}

const newestFacts = (run: RunDirectory, name: StageName): CheckpointFacts | undefined =>
  unlessRefused(() => checkpointFacts(checkpointFiles(run, { name })[0], { name, steps: 0 }));

const modelStep = (run: RunDirectory, name: StageName): number | undefined =>
  unlessRefused(() =>
    fs.existsSync(run.file(name, 'model.safetensors')) ? modelProvenance(run, name)?.step : undefined,
  );

function lastWritten(run: RunDirectory): number {
  const times = ['log.jsonl', 'run.json', 'checkpoints'].flatMap(
    (name) => fs.statSync(run.file(name), { throwIfNoEntry: false })?.mtimeMs ?? [],
  );
  return Math.max(0, ...times);
}
