/** One run in full, and two of them compared. */

import fs from 'node:fs';
import path from 'node:path';
import { settingOf } from '../../recipe/differences.ts';
import { settingSchemas } from '../../recipe/schema.ts';
import { settingsDifferences } from '../../run/differences.ts';
import { RunDirectory } from '../../run/directory.ts';
import { curvesOf, type Logged, readLogged } from '../../training/reports/curves.ts';
import { SHEET_FOLDER, sheetOf } from '../../training/reports/sheet-files.ts';
import { stageNames } from '../../training/stages.ts';
import { lastLines } from '../jobs/command.ts';
import type { CurveFacts, RunComparison, RunDetails, SheetFacts } from '../protocol.ts';
import type { Runs } from './runs.ts';
import type { Trainings } from './trainings.ts';

export interface DetailsSources {
  readonly runs: Runs;
  readonly trainings: Trainings;
  /** What the numbers of a log mean, by name. */
  readonly meanings: Readonly<Record<string, string>>;
}

/** Lines of a log that are shown. */
const LINES = 200;

/** @throws Missing if there is no such run. */
export function runDetails(id: string, { runs, trainings, meanings }: DetailsSources): RunDetails {
  const run = runs.get(id);
  const folder = runs.folder(id);
  const log = lastLines(trainings.log(run.name), LINES);
  if (!RunDirectory.exists(folder)) return { run, log, settings: {}, curves: [], sheets: [], codebook: undefined };
  const logged = readLogged(path.join(folder, 'log.jsonl'));
  const { settings } = RunDirectory.open(folder);
  return {
    ...{ run, log, settings: settingTexts(settings), sheets: sheetsOf(folder) },
    curves: described(logged, meanings),
    codebook: codebookOf(logged, settings.recipe.tokenizer.codes),
  };
}

/** @throws Missing if there is no such run. */
export function compareRuns(a: string, b: string, { runs, meanings }: DetailsSources): RunComparison {
  const [first, second] = [runs.open(a), runs.open(b)];
  const curves = (run: RunDirectory) => described(readLogged(run.file('log.jsonl')), meanings);
  return {
    ...{ a: runs.get(a), b: runs.get(b) },
    differences: settingsDifferences(first.settings, second.settings).map((one) => ({
      name: one.name,
      a: textOf(one.a),
      b: textOf(one.b),
    })),
    curves: { a: curves(first), b: curves(second) },
  };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

const described = (logged: readonly Logged[], meanings: Readonly<Record<string, string>>): CurveFacts[] =>
  curvesOf(logged).map((curve) => ({
    ...curve,
    description: meanings[curve.name],
    points: curve.points.filter(({ y }) => Number.isFinite(y)),
  }));

function settingTexts({ recipe, seed, data, clip }: RunDirectory['settings']): Record<string, string> {
  const values = [...settingSchemas.keys()].map((name) => [name, textOf(settingOf(recipe, name))] as const);
  return Object.fromEntries([['data', data], ['clip', clip], ['seed', `${seed}`], ...values]);
}

const STAGES: readonly string[] = stageNames;

function sheetsOf(folder: string): SheetFacts[] {
  const samples = path.join(folder, SHEET_FOLDER);
  if (!fs.existsSync(samples)) return [];
  return fs
    .readdirSync(samples)
    .flatMap((name) => {
      const sheet = sheetOf(name);
      return sheet ? [{ name, ...sheet }] : [];
    })
    .sort((a, b) => STAGES.indexOf(a.stage) - STAGES.indexOf(b.stage) || a.step - b.step);
}

function codebookOf(logged: readonly Logged[], codes: number): RunDetails['codebook'] {
  const last = logged.findLast(({ values }) => values.codesUsed !== undefined || values.perplexity !== undefined);
  return last && { codes, used: last.values.codesUsed, perplexity: last.values.perplexity };
}
