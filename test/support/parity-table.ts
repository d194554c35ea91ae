/** The table of `npm run parity` as a pure function of what was compared and of what the folder lacks. */
import type { ParityRow } from './parity.ts';

export interface ParityTable {
  readonly text: string;
  /** Whether every file was there, every fixture checked, and every comparison passed. */
  readonly passed: boolean;
}

type Line = readonly [
  mark: 'ok' | 'FAILED' | 'MISSING' | 'UNCHECKED' | '',
  fixture: string,
  quantity: string,
  absolute: string,
  relative: string,
  tolerance: string,
];

const HEADER: Line = ['', 'fixture', 'quantity', 'worst abs.', 'worst rel.', 'tolerance'];

/**
 * One line a quantity, with the worst errors of all its comparisons; a line for each file that is missing and for each
 * fixture that nothing compares.
 *
 * @param fixtures every fixture and its files.
 */
export function parityTable(
  fixtures: Readonly<Record<string, readonly string[]>>,
  rows: readonly ParityRow[],
  isPresent: (file: string) => boolean,
): ParityTable {
  const merged = merge(rows);
  const lines = Object.entries(fixtures).flatMap(([name, files]): Line[] => {
    const missing = files.filter((file) => !isPresent(file));
    const checked = merged.filter(({ fixture }) => fixture === name).map(lineOf);
    if (missing.length === 0 && checked.length === 0)
      return [['UNCHECKED', name, files.join(', '), '', '', 'nothing compares it']];
    return [...missing.map((file): Line => ['MISSING', name, file, '', '', 'not in the folder']), ...checked];
  });
  lines.push(...merged.filter(({ fixture }) => !(fixture in fixtures)).map(lineOf));
  const count = (mark: Line[0]) => lines.filter((line) => line[0] === mark).length;
  const summary = `${count('ok')} quantities agree, ${count('FAILED')} differ; ${count('MISSING')} files missing, ${count('UNCHECKED')} fixtures unchecked`;
  return { text: `${aligned([HEADER, ...lines])}\n\n${summary}`, passed: lines.every(([mark]) => mark === 'ok') };
}

function merge(rows: readonly ParityRow[]): ParityRow[] {
  const worst = new Map<string, ParityRow>();
  for (const row of rows) {
    const key = `${row.fixture}\n${row.quantity}\n${row.tolerance}`;
    const before = worst.get(key) ?? row;
    worst.set(key, {
      ...row,
      absolute: Math.max(row.absolute, before.absolute),
      relative: row.relative === null || before.relative === null ? null : Math.max(row.relative, before.relative),
      passed: row.passed && before.passed,
    });
  }
  return [...worst.values()];
}

function lineOf({ fixture, quantity, absolute, relative, tolerance, passed }: ParityRow): Line {
  return [
    passed ? 'ok' : 'FAILED',
    fixture,
    quantity,
    short(absolute),
    relative === null ? '-' : short(relative),
    tolerance,
  ];
}

const short = (error: number): string => (error === 0 ? '0' : error.toExponential(1));

function aligned(lines: readonly Line[]): string {
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
