/** `clipvq bench peer`: ours against plain PyTorch on this machine, in turn. */

import os from 'node:os';
import { Command, Option } from 'commander';
import { UserError } from '../errors.ts';
import { type Comparison, compare } from '../evaluation/peer/compare.ts';
import { rows } from '../evaluation/peer/jobs.ts';
import { findPyTorch } from '../evaluation/peer/python.ts';
import { whole } from './options.ts';
import { note, printResult } from './output.ts';

interface PeerOptions {
  readonly rounds: number;
  readonly quick: boolean;
  readonly only?: string;
  readonly threads: number;
  readonly spin: boolean;
  readonly json?: boolean;
}

const QUICK_ROUNDS = 2;

export function benchPeerCommand(): Command {
  return new Command('peer')
    .description('ours against a plain PyTorch implementation of the same model, in turn: medians, ratios, peak memory')
    .option('--rounds <n>', 'measured rounds of each side', whole(1), 5)
    .option('--quick', `${QUICK_ROUNDS} rounds`, false)
    .option('--only <rows>', `some rows, by commas: ${rows.map(({ name }) => name).join(', ')}`)
    .option('--spin', 'let our threads wait spinning, as those of PyTorch do: faster on an idle machine', false)
    .addOption(
      new Option('--threads <n>', 'threads of each side; 0 is one for each core').argParser(whole(0)).default(0),
    )
    .option('--json', 'print one JSON document on stdout')
    .option('--debug', 'show stack traces')
    .action(peer);
}

async function peer(options: PeerOptions): Promise<void> {
  const wanted = choose(options.only);
  const python = findPyTorch(note);
  const threads = options.threads || os.availableParallelism();
  const rounds = options.quick ? QUICK_ROUNDS : options.rounds;
  const results: Comparison[] = [];
  for (const [i, row] of wanted.entries()) {
    note(`${i + 1} of ${wanted.length}  ${row.name}: ${row.what}`);
    results.push(await compare(row, { python, threads, rounds, spin: options.spin }));
  }
  const versions = Object.assign({}, ...results.map((result) => result.versions)) as Record<string, string>;
  const machine = {
    cpu: os.cpus()[0]?.model ?? 'unknown CPU',
    cores: os.availableParallelism(),
    load: os.loadavg()[0]!,
  };
  printResult(
    options.json ?? false,
    { ...machine, threads, rounds, spin: options.spin, versions, rows: results },
    () => [
      ...table(results),
      '',
      `${machine.cpu}, ${machine.cores} cores, load ${machine.load.toFixed(1)}; ${threads} threads each; ours wait ${options.spin ? 'spinning' : 'sleeping'}; medians of ${rounds} rounds, in turn`,
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
      'Before a row is timed both sides start from the same weights and noise and must agree; "difference" is the largest of',
      `${[...new Set(results.map(({ compared }) => compared))].join('; ')}, over the largest value.`,
      'ms: median of a step. speed: PyTorch over ours. MB: most memory of a process that does only this. memory: ours over PyTorch.',
    ],
  );
}

function choose(only: string | undefined): typeof rows {
  if (only === undefined) return rows;
  return only.split(',').map((name) => {
    const row = rows.find((r) => r.name === name.trim());
    if (!row) throw new UserError(`There is no row "${name}": ${rows.map((r) => r.name).join(', ')}`);
    return row;
  });
}

function table(results: readonly Comparison[]): string[] {
  const heads = ['row', 'ours ms', 'PyTorch ms', 'speed', 'target', 'ours MB', 'PyTorch MB', 'memory', 'difference'];
  const cells = results.map((r) => [
    r.name,
    r.oursMs.toFixed(1),
    r.pytorchMs.toFixed(1),
    `${r.ratio.toFixed(2)}x`,
    r.target === undefined ? '' : `${r.target}x`,
    r.oursMB.toFixed(0),
    r.pytorchMB.toFixed(0),
    r.memoryRatio.toFixed(2),
    r.difference.toExponential(1),
  ]);
  const widths = heads.map((head, i) => Math.max(head.length, ...cells.map((row) => row[i]!.length)));
  return [heads, ...cells].map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
}
