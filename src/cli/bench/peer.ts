/** `clipvq bench peer`: ours against plain PyTorch on this machine, in turn. */

import os from 'node:os';
import { Command, Option } from 'commander';
import { UserError } from '../../base/errors.ts';
import { type Comparison, compare } from '../../bench/peer/compare.ts';
import { findPyTorch } from '../../bench/peer/python.ts';
import { moreRows, type Row, rows } from '../../bench/peer/rows.ts';
import { threadCount, whole } from '../options.ts';
import { note, printResult } from '../output.ts';
import { table } from '../table.ts';

interface PeerOptions {
  readonly device: string;
  readonly python?: string;
  readonly rounds: number;
  readonly quick: boolean;
  readonly only?: string;
  readonly threads: number;
  readonly spin: boolean;
  readonly json?: boolean;
}

const QUICK_ROUNDS = 2;

const names = (some: readonly Row[]): string => some.map(({ name }) => name).join(', ');

export function benchPeerCommand(): Command {
  return new Command('peer')
    .description('ours against a plain PyTorch implementation of the same model, in turn: medians, ratios, peak memory')
    .option('--rounds <n>', 'measured rounds of each side', whole(1), 5)
    .option('--quick', `${QUICK_ROUNDS} rounds`, false)
    .option('--only <rows>', `some rows, by commas: ${names(rows)}; and, measured only when named: ${names(moreRows)}`)
    .option('--device <name>', 'where we compute; on another than cpu, PyTorch computes with CUDA if it can', 'cpu')
    .option('--python <command>', 'the Python that has PyTorch (default: searched for)')
    .option('--spin', 'let our threads wait spinning without an end, as those of PyTorch do', false)
    .addOption(
      new Option('--threads <n>', 'threads of each side; 0 is one for each core').argParser(threadCount).default(0),
    )
    .option('--json', 'print one JSON document on stdout')
    .option('--debug', 'show stack traces')
    .action(peer);
}

async function peer(options: PeerOptions): Promise<void> {
  const wanted = choose(options.only);
  const python = options.python ?? findPyTorch(note);
  const { device, spin } = options;
  const threads = options.threads || os.availableParallelism();
  const rounds = options.quick ? QUICK_ROUNDS : options.rounds;
  const results: Comparison[] = [];
  for (const [i, row] of wanted.entries()) {
    note(`${i + 1} of ${wanted.length}  ${row.name}: ${row.what}`);
    results.push(await compare(row, { python, device, threads, rounds, spin }));
  }
  const versions = Object.assign({}, ...results.map((result) => result.versions)) as Record<string, string>;
  const machine = {
    cpu: os.cpus()[0]?.model ?? 'unknown CPU',
    cores: os.availableParallelism(),
    load: os.loadavg()[0]!,
  };
  printResult(options.json ?? false, { ...machine, device, threads, rounds, spin, versions, rows: results }, () => [
    ...table(device === 'cpu' ? cpuCells(results) : gpuCells(results)),
    '',
    `ours on ${device}, PyTorch on ${results[0]?.pytorchDevice}; ${machine.cpu}, ${machine.cores} cores, load ${machine.load.toFixed(1)}; ${threads} threads each; ours wait ${spin ? 'spinning' : 'spinning for 20 µs, then sleeping'}; medians of ${rounds} rounds, in turn`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    'Before a row is timed both sides start from the same weights and noise and must agree; "difference" is the largest of',
    `${[...new Set(results.map(({ compared }) => compared))].join('; ')}, over the largest value.`,
    ...legend(device),
  ]);
}

function choose(only: string | undefined): readonly Row[] {
  if (only === undefined) return rows;
  const known = [...rows, ...moreRows];
  return only.split(',').map((name) => {
    const row = known.find((r) => r.name === name.trim());
    if (!row) throw new UserError(`There is no row "${name}": ${names(known)}`);
    return row;
  });
}

function cpuCells(results: readonly Comparison[]): string[][] {
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
  return [heads, ...cells];
}

function gpuCells(results: readonly Comparison[]): string[][] {
  const heads = ['row', 'ours ms', 'PyTorch ms', 'speed', 'TF32 ms', 'speed', 'ours GPU MB', 'PyTorch GPU MB'];
  const cells = results.map(({ gpu, ...r }) => [
    r.name,
    r.oursMs.toFixed(1),
    r.pytorchMs.toFixed(1),
    `${r.ratio.toFixed(2)}x`,
    r.tf32Ms?.toFixed(1) ?? '',
    r.tf32Ms === undefined ? '' : `${(r.tf32Ms / r.oursMs).toFixed(2)}x`,
    gpu.ours?.peakMB.toFixed(0) ?? '',
    gpu.pytorch?.peakMB.toFixed(0) ?? '',
    gpu.ours ? `${gpu.ours.busy.toFixed(0)} %` : '',
    gpu.pytorch ? `${gpu.pytorch.busy.toFixed(0)} %` : '',
    `${r.readySeconds.ours.toFixed(1)} s`,
    r.difference.toExponential(1),
  ]);
  return [[...heads, 'ours busy', 'PyTorch busy', 'ours ready', 'difference'], ...cells];
}

const legend = (device: string): readonly string[] =>
  device === 'cpu'
    ? [
        'ms: median of a step. speed: PyTorch over ours. MB: most memory of a process that does only this. memory: ours over PyTorch.',
      ]
    : [
        'ms: median of a step. PyTorch: eager, float32, cuDNN chooses by trying; TF32 rounds the factors of products. speed: PyTorch over ours.',
        'GPU MB: getting ready and three steps, by nvidia-smi. busy: share of the time in which some kernel ran. ready: compiling, loading, three steps.',
      ];
