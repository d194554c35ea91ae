/** `--profile`: where the time of a command goes, as a Chrome trace and as a table of operators. */

import fs from 'node:fs';
import type { Command } from 'commander';
import type { EngineOptions } from '../engine/engine.ts';
import { type Kernel, type OperatorTime, operatorTimes } from '../engine/profile/operators.ts';
import { Profiler } from '../engine/profile/profiler.ts';
import { fileError } from '../files/file-errors.ts';
import { makeRoom } from './keeping.ts';
import { type CommonOptions, engineOptions } from './options.ts';
import { note } from './output.ts';
import { percent } from './percent.ts';
import { currentRanks } from './rank.ts';
import { table } from './table.ts';

export interface ProfileOptions {
  readonly profile?: string | true;
}

const DEFAULT_FILE = 'profile.json';
const KINDS = 8;
const SHAPES = 12;

export const withProfile = (command: Command): Command =>
  command.option(
    '--profile [file]',
    `write where the time goes as a Chrome trace (default file: ${DEFAULT_FILE}) and list the operators that take most`,
  );

/** Do the work of a command with an engine as its options say; with `--profile`, say afterwards where the time went. */
export async function profiled<T>(
  options: CommonOptions & ProfileOptions,
  work: (engineOptions: EngineOptions) => Promise<T>,
): Promise<T> {
  if (options.profile === undefined || currentRanks().rank !== 0) return work(engineOptions(options));
  const file = options.profile === true ? DEFAULT_FILE : options.profile;
  makeRoom(file, undefined, (moved) => note(`The file that was there is now ${moved}`));
  const trace = create(file);
  const profiler = new Profiler();
  try {
    return await work({ ...engineOptions(options), profiler });
  } finally {
    for (const piece of profiler.trace()) fs.writeSync(trace, piece);
    fs.closeSync(trace);
    profiler.close();
    for (const line of report(profiler)) note(line);
    note(`Wrote ${file}: open it in chrome://tracing or ui.perfetto.dev`);
  }
}

/** The file is opened before any work is done: a path that cannot be written fails at once. */
function create(file: string): number {
  try {
    return fs.openSync(file, 'w');
  } catch (error) {
    throw fileError('write', file, error);
  }
}

function report(profiler: Profiler): string[] {
  const { kernels, gpuKernels, recordedRuns } = profiler;
  const spans = Object.entries(profiler.spans()).sort((a, b) => b[1] - a[1]);
  const lines = ['', 'Spans, all together:', ...table(spans.map(([name, ms]) => [name, milliseconds(ms)]))];
  if (kernels.length === 0) return [...lines, 'No operator was recorded.'];
  const onGpu = gpuKernels.length > 0;
  return [
    ...lines,
    ...operatorLines(`Operators of ${recordedRuns} recorded runs${onGpu ? ' (handing them to the GPU)' : ''}`, kernels),
    ...(onGpu ? operatorLines('What the GPU ran, by its own clock', gpuKernels) : []),
  ];
}

function operatorLines(what: string, kernels: readonly Kernel[]): string[] {
  const kinds = operatorTimes(kernels, { byShape: false });
  const shapes = operatorTimes(kernels, { byShape: true });
  const total = kinds.reduce((sum, { ms }) => sum + ms, 0);
  return [
    '',
    `${what}, ${milliseconds(total)} in all; by kind:`,
    ...table([['operator', 'on', 'calls', 'time', 'share', 'GFLOP/s'], ...kinds.slice(0, KINDS).map(row)]),
    '',
    'and by the shapes of their operands:',
    ...table([['operator', 'on', 'calls', 'time', 'share', 'GFLOP/s'], ...shapes.slice(0, SHAPES).map(row)]),
  ];
}

const row = ({ operator, shapes, provider, calls, ms, share, gflops }: OperatorTime): string[] => [
  shapes === undefined ? operator : `${operator} ${shapes}`,
  provider,
  `${calls}`,
  milliseconds(ms),
  percent(share, 1),
  gflops === undefined ? '' : gflops.toFixed(1),
];

const milliseconds = (ms: number): string => (ms >= 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${ms.toFixed(1)} ms`);
