/**
 * The reporter of `npm run parity`: one line per quantity of every fixture, worst errors over all tests, and loudly what
 * failed, what is missing from the folder and what no test checks. Any of these makes the command fail.
 */
import { existsSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';
import { FIXTURE_FILES, fixturePath } from './fixture-files.ts';
import type { ParityRow } from './parity.ts';

type Line = readonly [
  mark: string,
  fixture: string,
  quantity: string,
  absolute: string,
  relative: string,
  tolerance: string,
];

const HEADER: Line = ['', 'fixture', 'quantity', 'worst abs.', 'worst rel.', 'tolerance'];

export default class ParityReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const rows = merge(tests.flatMap((test) => test.meta().parity ?? []));
    const lines = Object.entries(FIXTURE_FILES).flatMap(([name, files]) => linesOf(name, files, rows));
    const foreign = rows.filter(({ fixture }) => !(fixture in FIXTURE_FILES)).map(lineOf);
    const broken = [
      ...tests.flatMap((test) => (test.result().state === 'failed' ? [[test.fullName, test.result().errors]] : [])),
      ...modules.flatMap((module) => (module.errors().length > 0 ? [[module.relativeModuleId, module.errors()]] : [])),
      ...(errors.length > 0 ? [['outside the tests', errors]] : []),
    ] as [string, readonly SerializedError[]][];

    console.log(table([HEADER, ...lines, ...foreign]));
    for (const [name, reasons] of broken)
      console.log(`\nFAILED ${name}\n  ${reasons.map(({ message }) => message).join('\n  ')}`);
    const marks = [...lines, ...foreign].map(([mark]) => mark);
    const count = (mark: string) => marks.filter((m) => m === mark).length;
    const summary = `${count('ok')} quantities agree, ${count('FAILED')} differ; ${count('MISSING')} missing, ${count('UNCHECKED')} not checked`;
    console.log(`\n${summary}; ${tests.length} tests, ${broken.length} broken`);
    if (broken.length > 0 || marks.some((mark) => mark !== 'ok')) process.exitCode = 1;
  }
}

/** One row for each quantity: the worst of all its comparisons. */
function merge(rows: readonly ParityRow[]): ParityRow[] {
  const worst = new Map<string, ParityRow>();
  for (const row of rows) {
    const key = `${row.fixture}\n${row.quantity}\n${row.tolerance}`;
    const before = worst.get(key) ?? row;
    worst.set(key, {
      ...row,
      absolute: Math.max(row.absolute, before.absolute),
      relative: Math.max(row.relative, before.relative),
      passed: row.passed && before.passed,
    });
  }
  return [...worst.values()];
}

function linesOf(name: string, files: readonly string[], rows: readonly ParityRow[]): Line[] {
  const missing = files.filter((file) => !existsSync(fixturePath(file)));
  const problems = missing.map((file): Line => ['MISSING', name, file, '', '', 'not in the folder']);
  const checked = rows.filter(({ fixture }) => fixture === name).map(lineOf);
  if (missing.length === 0 && checked.length === 0)
    return [['UNCHECKED', name, files.join(', '), '', '', 'no test compares it']];
  return [...problems, ...checked];
}

function lineOf({ fixture, quantity, absolute, relative, tolerance, passed }: ParityRow): Line {
  return [passed ? 'ok' : 'FAILED', fixture, quantity, short(absolute), short(relative), tolerance];
}

const short = (error: number): string => (error === 0 ? '0' : error.toExponential(1));

function table(lines: readonly Line[]): string {
  const widths = HEADER.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
