/** Ours against PyTorch, in turn: one row of the table. */

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { writeSafetensors } from '../../checkpoint/safetensors.ts';
import type { NDArray } from '../../ndarray.ts';
import { drawWeights, type Job, jobFeeds, jobParameters, type Row } from './jobs.ts';
import { type Side, startOurs, startPyTorch } from './sides.ts';

export interface CompareOptions {
  /** A Python that has PyTorch. */
  readonly python: string;
  /** For both sides. */
  readonly threads: number;
  /** Measured rounds of each side, in turn. */
  readonly rounds: number;
  /** Whether our threads wait spinning, as PyTorch's do. */
  readonly spin: boolean;
}

export interface Comparison {
  readonly name: string;
  readonly what: string;
  readonly oursMs: number;
  readonly pytorchMs: number;
  /** Every round, in order. */
  readonly rounds: { readonly ours: readonly number[]; readonly pytorch: readonly number[] };
  /** Medians, PyTorch over ours. */
  readonly ratio: number;
  readonly target?: number;
  readonly oursMB: number;
  readonly pytorchMB: number;
  /** Peaks, ours over PyTorch. */
  readonly memoryRatio: number;
  /** What was compared before anything was timed, and the largest difference over the largest value. */
  readonly compared: string;
  readonly difference: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** Shorter steps are repeated for so long, and a round is their mean. */
const ROUND_MS = 400;
/** The two sides round differently, step after step; more than this and they do not compute the same. */
const TOLERANCE = 2e-3;

/**
 * Both sides prepare the same weights and feeds, show that they compute the same, and take turns.
 * @throws Error if their results differ.
 */
export async function compare(row: Row, options: CompareOptions): Promise<Comparison> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'clipvq-peer-'));
  const sides: Side[] = [];
  try {
    const file = path.join(folder, 'weights.safetensors');
    writeSafetensors(file, weightsOf(row.job));
    const [ours, pytorch] = [startOurs(), startPyTorch(options.python, options.threads)] as const;
    sides.push(ours, pytorch);
    const prepare = { kind: 'prepare', job: row.job, file, threads: options.threads, spin: options.spin } as const;
    const [mine, theirs] = [await ours.ask(prepare), await pytorch.ask(prepare)];
    // Up to gigabytes, and read: nothing is left behind if the comparison is interrupted from here on.
    rmSync(file);
    const difference = await disagreement(row, ours, pytorch);
    const times = { ours: [] as number[], pytorch: [] as number[] };
    for (let round = 0; round < options.rounds; round++) {
      times.ours.push(await timeRound(ours));
      times.pytorch.push(await timeRound(pytorch));
    }
    const [oursMs, pytorchMs] = [median(times.ours), median(times.pytorch)];
    const [{ peakMB: oursMB }, { peakMB: pytorchMB }] = [
      await ours.ask({ kind: 'peak' }),
      await pytorch.ask({ kind: 'peak' }),
    ];
    return {
      name: row.name,
      what: row.what,
      oursMs,
      pytorchMs,
      rounds: times,
      ratio: pytorchMs / oursMs,
      ...(row.target !== undefined && { target: row.target }),
      oursMB,
      pytorchMB,
      memoryRatio: oursMB / pytorchMB,
      compared: comparedBy[row.job.kind],
      difference,
      versions: { ...mine.versions, ...theirs.versions },
    };
  } finally {
    for (const side of sides) side.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const comparedBy: Readonly<Record<Job['kind'], string>> = {
  train: 'losses of three steps in a row',
  tokenizer: 'losses of three steps in a row',
  reverse: 'guided log-probabilities',
  image: 'a decoded picture',
};

/** Weights and feeds as one file, for the side that cannot draw them itself. */
function weightsOf(job: Job): Record<string, NDArray> {
  const tensors: Record<string, NDArray> = {};
  for (const [prefix, parameters] of Object.entries(jobParameters(job)))
    for (const [name, array] of drawWeights(parameters)) tensors[`${prefix}.${name}`] = array;
  for (const [name, array] of Object.entries(jobFeeds(job))) tensors[`feeds.${name}`] = array;
  return tensors;
}

async function disagreement(row: Row, ours: Side, pytorch: Side): Promise<number> {
  const [{ values: a }, { values: b }] = [await ours.ask({ kind: 'check' }), await pytorch.ask({ kind: 'check' })];
  const largest = Math.max(...b.map(Math.abs));
  const difference = a.length === b.length ? Math.max(...a.map((v, i) => Math.abs(v - b[i]!))) / largest : Number.NaN;
  if (!(difference <= TOLERANCE))
    throw new Error(
      `${row.name}: the two sides do not compute the same (${comparedBy[row.job.kind]}: ${a.slice(0, 3)} and ${b.slice(0, 3)})`,
    );
  return difference;
}

/** Mean milliseconds of a step, over as many as fill a round. */
async function timeRound(side: Side): Promise<number> {
  let [total, steps] = [0, 0];
  for (; total < ROUND_MS; steps++) total += (await side.ask({ kind: 'step' })).ms;
  return total / steps;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}
