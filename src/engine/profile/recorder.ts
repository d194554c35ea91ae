/** An engine's part in a profile. */

import type { RunTimes } from '../protocol.ts';
import { now, type Profiler } from './profiler.ts';

/** Records the runs of one engine. */
export class Recorder {
  private readonly engine: number;
  readonly prefix: string;
  private readonly firstRuns = new Map<number, number>();

  constructor(private readonly profiler: Profiler) {
    const { engine, prefix } = profiler.register();
    this.engine = engine;
    this.prefix = prefix;
  }

  /** A run that was called at `called` and whose results are here now. */
  run(program: number, name: string, called: number, { begun, ended, updated }: RunTimes): void {
    if (!this.firstRuns.has(program)) this.firstRuns.set(program, begun);
    this.profiler.span(this.engine, 'engine', `feed ${name}`, called, begun);
    this.profiler.span(this.engine, 'engine', `run ${name}`, begun, ended);
    this.profiler.span(this.engine, 'engine', `fused update and results of ${name}`, ended, updated);
    this.profiler.span(this.engine, 'engine', `fetch ${name}`, updated, now());
  }

  span(name: string, start: number): void {
    this.profiler.span(this.engine, 'host', name, start, now());
  }

  collect(): void {
    for (const [program, begun] of this.firstRuns)
      this.profiler.collect(this.engine, `${this.prefix}${program}_`, begun);
  }
}
