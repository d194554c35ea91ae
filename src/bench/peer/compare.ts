/** Ours against PyTorch, in turn: one row of the table. */

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { NDArray } from '../../base/ndarray.ts';
import { writeSafetensors } from '../../checkpoint/safetensors.ts';
import type { Device } from '../../engine/engine.ts';
import { median } from '../median.ts';
import { GpuMeter } from './gpu.ts';
import { drawWeights, type Job, jobFeeds, jobParameters } from './jobs.ts';
import type { PrepareRequest } from './protocol.ts';
import type { Row } from './rows.ts';
import { type Side, startOurs, startPyTorch } from './sides.ts';

export interface CompareOptions {
  /** A Python that has PyTorch. */
  readonly python: string;
  /** Where we compute. On another device than the CPU, PyTorch computes with CUDA if it can. */
  readonly device: Device;
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
  /** Where PyTorch computed: `cpu` or `cuda`. */
  readonly pytorchDevice: Device;
  readonly oursMs: number;
  readonly pytorchMs: number;
  /** On CUDA also with TF32, which rounds the factors of products to 10 bits. */
  readonly tf32Ms?: number;
  /** Every round, in order. */
  readonly rounds: {
    readonly ours: readonly number[];
    readonly pytorch: readonly number[];
    readonly tf32: readonly number[];
  };
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
  /** Of the GPU, where `nvidia-smi` reports it. */
  readonly gpu: { readonly ours?: GpuUse | undefined; readonly pytorch?: GpuUse | undefined };
  /** Seconds until each side was ready and checked: compiling, loading and three first steps. */
  readonly readySeconds: { readonly ours: number; readonly pytorch: number };
  readonly versions: Readonly<Record<string, string>>;
}

export interface GpuUse {
  /** Percent of the time in which some kernel ran, while steps follow each other. */
  readonly busy: number;
  /** Memory that getting ready and checking took, above what was in use before. */
  readonly peakMB: number;
}

/**
 * Shorter steps are repeated for so long, and a round is their mean. The speed of a virtual machine changes by half
 * within a second.
 */
const ROUND_MS = 2000;
/** The driver averages a GPU's busyness over up to a second. */
const BUSY_MS = 1500;
/** The two sides round differently, step after step; more than this and they do not compute the same. */
const TOLERANCE = 2e-3;

/**
 * Both sides prepare the same weights and feeds, show that they compute the same, and take turns.
 * @throws Error if their results differ.
 */
export async function compare(row: Row, options: CompareOptions): Promise<Comparison> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'clipvq-peer-'));
  const sides: Side[] = [];
  const meter = options.device === 'cpu' ? undefined : GpuMeter.start();
  try {
    const file = path.join(folder, 'weights.safetensors');
    writeSafetensors(file, weightsOf(row.job));
    const [ours, pytorch] = [startOurs(), startPyTorch(options.python, options.threads)] as const;
    sides.push(ours, pytorch);
    const { threads, spin, device, rounds } = options;
    const request = { job: row.job, file, threads, spin, device, pytorch: device === 'cpu' ? 'cpu' : 'gpu' } as const;
    const mine = await ready(ours, request, meter);
    const theirs = await ready(pytorch, request, meter);
    // Up to gigabytes, and read: nothing is left behind if the comparison is interrupted from here on.
    rmSync(file);
    const difference = disagreement(row, mine.values, theirs.values);
    const hasTf32 = theirs.device === 'cuda';
    const times = await timesInTurn(ours, pytorch, rounds, hasTf32);
    const [oursMs, pytorchMs] = [median(times.ours), median(times.pytorch)];
    const gpu = {
      ours: await gpuUse(ours, mine.peakMB, meter),
      ...(hasTf32 && { pytorch: await gpuUse(pytorch, theirs.peakMB, meter) }),
    };
    const [oursMB, pytorchMB] = [await ours.call('peak', {}), await pytorch.call('peak', {})];
    return {
      name: row.name,
      what: row.what,
      pytorchDevice: theirs.device,
      oursMs,
      pytorchMs,
      ...(hasTf32 && { tf32Ms: median(times.tf32) }),
      rounds: times,
      ratio: pytorchMs / oursMs,
      ...(row.target !== undefined && { target: row.target }),
      oursMB,
      pytorchMB,
      memoryRatio: oursMB / pytorchMB,
      compared: comparedBy[row.job.kind],
      difference,
      gpu,
      readySeconds: { ours: mine.seconds, pytorch: theirs.seconds },
      versions: { ...mine.versions, ...theirs.versions },
    };
  } finally {
    meter?.close();
    for (const side of sides) side.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A side that has prepared a job: what it computes, and what getting there took. */
async function ready(side: Side, request: PrepareRequest, meter: GpuMeter | undefined) {
  const before = await meter?.used();
  const start = performance.now();
  const prepared = await side.call('prepare', request);
  const values = await side.call('check', {});
  const seconds = (performance.now() - start) / 1000;
  return { ...prepared, values, seconds, peakMB: ((await meter?.since(start))?.peakMB ?? 0) - (before ?? 0) };
}

/** Milliseconds of a step, round by round: ours, PyTorch's, and where it has TF32 PyTorch's with that. */
async function timesInTurn(ours: Side, pytorch: Side, rounds: number, hasTf32: boolean) {
  const times = { ours: [] as number[], pytorch: [] as number[], tf32: [] as number[] };
  if (hasTf32) await timeRound(pytorch, 0, true);
  for (let round = 0; round < rounds; round++) {
    times.ours.push(await timeRound(ours, ROUND_MS));
    times.pytorch.push(await timeRound(pytorch, ROUND_MS));
    if (hasTf32) times.tf32.push(await timeRound(pytorch, ROUND_MS, true));
  }
  return times;
}

/** How busy a side keeps the GPU; undefined where nothing tells. */
async function gpuUse(side: Side, peakMB: number, meter: GpuMeter | undefined): Promise<GpuUse | undefined> {
  if ((await meter?.used()) === undefined) return undefined;
  const start = performance.now();
  await timeRound(side, BUSY_MS);
  const seen = await meter?.since(start);
  return seen && { busy: seen.busy, peakMB };
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

function disagreement(row: Row, a: readonly number[], b: readonly number[]): number {
  const largest = Math.max(...b.map(Math.abs));
  const difference = a.length === b.length ? Math.max(...a.map((v, i) => Math.abs(v - b[i]!))) / largest : Number.NaN;
  if (!(difference <= TOLERANCE))
    throw new Error(
      `${row.name}: the two sides do not compute the same (${comparedBy[row.job.kind]}: ${a.slice(0, 3)} and ${b.slice(0, 3)})`,
    );
  return difference;
}

/** Mean milliseconds of a step, over as many as fill a round. */
const timeRound = (side: Side, leastMs: number, tf32 = false): Promise<number> => side.call('round', { leastMs, tf32 });
