/** `clipvq runs`: the runs in a folder with how far they are, and two of them compared. */

import path from 'node:path';
import { Command } from 'commander';
import { UserError } from '../base/errors.ts';
import { settingsDifferences } from '../run/differences.ts';
import { RunDirectory } from '../run/directory.ts';
import { readLogged } from '../training/reports/curves.ts';
import { drawCurves } from '../training/reports/curves-chart.ts';
import { findRuns, type RunSummary } from '../training/reports/summary.ts';
import { descriptions } from './command-names.ts';
import { writeKeeping } from './keeping.ts';
import { printResult } from './output.ts';
import { table } from './table.ts';

interface ListOptions {
  readonly json?: boolean;
}

interface CompareOptions extends ListOptions {
  readonly out: string;
}

export function runsCommand(): Command {
  const shared = (command: Command) =>
    command.option('--json', 'print one JSON document on stdout').option('--debug', 'show stack traces');
  const command = new Command('runs').description(descriptions.runs).enablePositionalOptions();
  command.addCommand(
    shared(new Command('list'))
      .description('list the runs in a folder: stages, steps, last activity, and who trains them')
      .argument('[folder]', 'where to look, three folders deep', '.')
      .action(list),
    { isDefault: true },
  );
  command.addCommand(
    shared(new Command('compare'))
      .description('draw the curves of two runs and name the settings in which they differ')
      .argument('<a>', 'a run directory')
      .argument('<b>', 'another')
      .option('--out <file.png>', 'where to draw the curves', 'compare.png')
      .action(compare),
  );
  return command;
}

function list(folder: string, { json }: ListOptions): void {
  const runs = findRuns(folder);
  printResult(json ?? false, { runs }, () =>
    runs.length === 0
      ? [`No runs in ${folder}`]
      : table([['run', 'preset', 'state', 'stages', 'last activity'], ...runs.map(row)]),
  );
}

function row({ run, preset, state, trainer, stages, lastActivity }: RunSummary): string[] {
  const progress = stages.map(({ name, step, steps, isDone }) => (isDone ? name : `${name} ${step}/${steps}`));
  const by = trainer === undefined ? '' : ` by process ${trainer.pid} on ${trainer.host}`;
  return [run, preset, `${state}${by}`, progress.join(', '), lastActivity.slice(0, 16).replace('T', ' ')];
}

async function compare(a: string, b: string, { out, json }: CompareOptions): Promise<void> {
  if (path.resolve(a) === path.resolve(b)) throw new UserError(`${a} is compared with itself: name two runs`);
  const runs = [RunDirectory.open(a), RunDirectory.open(b)] as const;
  const differences = settingsDifferences(runs[0].settings, runs[1].settings);
  const logs = runs.map((run) => ({ name: run.path, log: readLogged(run.file('log.jsonl')) }));
  const curves = await drawCurves('Training', `${a} and ${b}`, logs);
  if (curves) writeKeeping(out, curves);
  const value = (setting: unknown) => JSON.stringify(setting);
  printResult(json ?? false, { a, b, differences, curves: curves ? out : null }, () => [
    ...(differences.length === 0
      ? ['The settings are the same.']
      : table([['setting', a, b], ...differences.map((one) => [one.name, value(one.a), value(one.b)])])),
    curves ? `Curves: ${out}` : 'Neither has a log to draw.',
  ]);
}
