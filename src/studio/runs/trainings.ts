/**
 * Trainings as processes of their own. They survive the studio: a record of each, beside its output, says which
 * process it is, and the next studio finds it again.
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import * as z from 'zod';
import { Interrupted, UserError } from '../../base/errors.ts';
import { makeFolder, writeFileAtomic } from '../../files/atomic.ts';
import { readText } from '../../files/regular-file.ts';
import { RunDirectory } from '../../run/directory.ts';
import { identityOf, isAtWork, isHere, trainerOf } from '../../run/lock.ts';
import { ended, failureIn, startCommand } from '../jobs/command.ts';
import type { Running, Work } from '../jobs/jobs.ts';

const recordSchema = z.object({
  pid: z.int(),
  host: z.string(),
  since: z.string(),
  started: z.string().optional(),
  /** The words of the command that has begun the run. */
  args: z.array(z.string()),
  /** How it ended, where a studio saw it. */
  error: z.string().optional(),
});
type TrainingRecord = z.infer<typeof recordSchema>;

/** Milliseconds between two looks at a process. */
const LOOK = 400;

/** Steps from one checkpoint of a training of ours to the next. */
export const CHECKPOINT_EVERY = 100;

/** Windows has no signal that a process could answer: there a pause ends it without a last checkpoint. */
export const pauseLoses = (platform: NodeJS.Platform = process.platform): number =>
  platform === 'win32' ? CHECKPOINT_EVERY : 0;

export interface TrainingsOptions {
  /** Where records and outputs are kept. */
  readonly folder: string;
  /** Where the runs are. */
  readonly runs: string;
  /** Options of the command line that say where to compute. */
  readonly device: readonly string[];
  /** Called when something of a run may have changed. */
  readonly onChange: (name: string) => void;
}

/** Trainings as processes that outlive the studio: each has a record and a log in the folder. */
export class Trainings {
  readonly #options: TrainingsOptions;

  constructor(options: TrainingsOptions) {
    this.#options = options;
    makeFolder(options.folder);
  }

  /** Names of runs that a process of ours trains now, of this studio or an earlier one. */
  get living(): readonly string[] {
    return fs
      .readdirSync(this.#options.folder)
      .flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : []))
      .filter((name) => this.process(name) !== undefined);
  }

  /** The process that trains a run on this machine; undefined if there is none. */
  process(name: string): number | undefined {
    const record = this.#record(name);
    if (record && isAtWork(record, this.#file(name))) return record.pid;
    const trainer = trainerOf(this.#run(name));
    return trainer && isHere(trainer) ? trainer.pid : undefined;
  }

  /** Whether a training of ours has been begun, be it over or not. */
  isKnown(name: string): boolean {
    return this.#record(name) !== undefined;
  }

  /** Why the last training of a run ended badly; undefined if it did not, or none of ours has trained it. */
  failure(name: string): string | undefined {
    return this.#record(name)?.error;
  }

  /** Where the output of a run's training is. */
  log(name: string): string {
    return path.join(this.#options.folder, `${name}.log`);
  }

  /**
   * A training as a job: begun with these words, without any gone on with, or found at work.
   * @param args of a new run.
   */
  work(name: string, args?: readonly string[]): Work {
    return { run: (job) => this.#train(name, args, job) };
  }

  async #train(name: string, args: readonly string[] | undefined, job: Running): Promise<'done' | 'paused'> {
    const found = this.process(name);
    const end = found === undefined ? this.#start(name, args) : this.#gone(name);
    let isOver = false;
    const over = end.finally(() => {
      isOver = true;
    });
    let isStopping = false;
    while (!isOver) {
      await Promise.race([over, setTimeout(LOOK)]);
      // It goes on without the studio.
      if (job.closing.aborted) return 'paused';
      this.#options.onChange(name);
      if (isStopping || isOver || !(job.cancelled.aborted || job.paused.aborted)) continue;
      isStopping = this.#stop(name);
    }
    const code = await over;
    this.#options.onChange(name);
    if (job.cancelled.aborted) throw new Interrupted('Stopped');
    if (job.paused.aborted) return 'paused';
    if (code === 0) return 'done';
    const error = code === 130 ? 'It was stopped from outside: resume it' : failureIn(this.log(name), code);
    this.#note(name, { error });
    this.#options.onChange(name);
    throw new UserError(error);
  }

  /** @returns the exit code of the process, once it has ended. */
  async #start(name: string, args: readonly string[] | undefined): Promise<number | undefined> {
    const run = this.#run(name);
    const first = args ?? this.#record(name)?.args;
    const isThere = RunDirectory.exists(run);
    if (!isThere && !first) throw new UserError(`There is no run ${name} to go on with: start another one`);
    const words = isThere ? ['train', '--resume', '--run', run] : [...first!];
    // Another output begins: what was printed before has been about something else.
    if (!isThere) fs.rmSync(this.log(name), { force: true });
    const child = startCommand([...words, ...this.#options.device], this.log(name));
    const end = ended(child);
    if (child.pid !== undefined) this.#write(name, { ...identityOf(child.pid), args: [...(first ?? [])] });
    return end;
  }

  /** Waits for the end of a process that is not a child of this one. @returns 0 if its run is finished. */
  async #gone(name: string): Promise<number | undefined> {
    while (this.process(name) !== undefined) await setTimeout(LOOK);
    const last = failureIn(this.log(name), 0);
    return last.startsWith('The process ended') ? 0 : 1;
  }

  /** @returns whether there was a process to stop. */
  #stop(name: string): boolean {
    const pid = this.process(name);
    if (pid === undefined) return false;
    try {
      process.kill(pid, 'SIGTERM');
      return true;
    } catch {
      // It ended a moment ago.
      return false;
    }
  }

  #run(name: string): string {
    return path.join(this.#options.runs, name);
  }

  #file(name: string): string {
    return path.join(this.#options.folder, `${name}.json`);
  }

  #record(name: string): TrainingRecord | undefined {
    try {
      return recordSchema.safeParse(JSON.parse(readText(this.#file(name), 2 ** 20))).data;
    } catch {
      // There is none, or a kill has left a part of it.
      return undefined;
    }
  }

  #note(name: string, change: Partial<TrainingRecord>): void {
    const record = this.#record(name);
    if (record) this.#write(name, { ...record, ...change });
  }

  #write(name: string, record: TrainingRecord): void {
    makeFolder(path.dirname(this.#file(name)));
    writeFileAtomic(this.#file(name), `${JSON.stringify(record)}\n`);
  }
}
