/**
 * The profile of a piece of work over all its engines: what the host waited for, what each run took, and within the
 * runs every operator, on one clock, in the format that chrome://tracing and Perfetto read.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Kernel, readProfile } from './operators.ts';

/** Milliseconds since the epoch, finer than Date: the one clock that threads share. */
export const now = (): number => performance.timeOrigin + performance.now();

/** A complete event of the trace event format; times in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M';
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly args?: Readonly<Record<string, string>>;
}

/** The lanes of an engine in the trace. */
const LANES = { host: 1, engine: 2, operators: 3 } as const;

/** Collects what all engines of a piece of work record. */
export class Profiler {
  private readonly start = now();
  private readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-profile-'));
  private readonly events: TraceEvent[] = [];
  private engines = 0;
  /** All operators that were recorded. */
  readonly kernels: Kernel[] = [];
  /** What a GPU ran, where its times are known. */
  readonly gpuKernels: Kernel[] = [];
  /** Runs that were recorded operator by operator. */
  recordedRuns = 0;

  /** A number for an engine, and where its programs' profiles go. */
  register(): { readonly engine: number; readonly prefix: string } {
    const engine = ++this.engines;
    const label = (name: string, tid: number, text: string) =>
      this.events.push({ name, ph: 'M', pid: engine, tid, args: { name: text } });
    label('process_name', 0, `engine ${engine}`);
    for (const [lane, tid] of Object.entries(LANES)) label('thread_name', tid, lane);
    return { engine, prefix: path.join(this.folder, `${engine}-`) };
  }

  /** Something that took from `start` to `end`, by `now`. */
  span(engine: number, lane: keyof typeof LANES, name: string, start: number, end: number): void {
    this.event(engine, lane, name, start, 1000 * (end - start));
  }

  /** Collect what ONNX Runtime has recorded of a program whose first run began at `firstRun`. */
  collect(engine: number, prefix: string, firstRun: number): void {
    const file = fs.readdirSync(this.folder).find((name) => path.join(this.folder, name).startsWith(prefix));
    if (file === undefined) return;
    const { kernels, gpuKernels, runs } = readProfile(fs.readFileSync(path.join(this.folder, file), 'utf8'));
    const origin = runs[0]?.start;
    if (origin === undefined) return;
    this.recordedRuns += runs.length;
    this.gpuKernels.push(...gpuKernels);
    for (const kernel of kernels) {
      this.kernels.push(kernel);
      const { operator, provider, inputs, outputs, start, duration } = kernel;
      const shapes = (operands: Kernel['inputs']) => operands.map(({ dtype, shape }) => `${dtype}[${shape}]`).join(' ');
      this.event(engine, 'operators', operator, firstRun + (start - origin) / 1000, duration, {
        provider,
        inputs: shapes(inputs),
        outputs: shapes(outputs),
      });
    }
  }

  /** The trace as JSON, in pieces: together they may be longer than a string can be. */
  *trace(): Generator<string> {
    yield '{"displayTimeUnit":"ms","traceEvents":[\n';
    for (const [i, event] of this.events.entries()) yield `${i === 0 ? '' : ',\n'}${JSON.stringify(event)}`;
    yield '\n]}\n';
  }

  /** How long the spans of each name took in all, in ms. */
  spans(): Readonly<Record<string, number>> {
    const total: Record<string, number> = {};
    for (const { ph, tid, name, dur = 0 } of this.events)
      if (ph === 'X' && tid !== LANES.operators) total[name] = (total[name] ?? 0) + dur / 1000;
    return total;
  }

  /** Remove what lies on the disk. */
  close(): void {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  private event(
    pid: number,
    lane: keyof typeof LANES,
    name: string,
    start: number,
    dur: number,
    args?: Readonly<Record<string, string>>,
  ): void {
    this.events.push({
      name,
      ph: 'X',
      pid,
      tid: LANES[lane],
      ts: 1000 * (start - this.start),
      dur,
      ...(args && { args }),
    });
  }
}
