/**
 * The jobs of the studio. Each goes through a lane, in which one job runs at a time: drawing, training and measuring,
 * looking at data. Jobs belong to the server; who watches makes no difference.
 */

import { randomBytes } from 'node:crypto';
import { messageOf, UserError } from '../../base/errors.ts';
import type { Job, JobKind, JobRequest, Progress } from '../protocol.ts';
import { Missing, TooMany } from '../refusals.ts';

export type Lane = 'draw' | 'train' | 'look';

const LANES: readonly Lane[] = ['draw', 'train', 'look'];
const LANE_OF: Readonly<Record<JobKind, Lane>> = {
  ...{ create: 'draw', vary: 'draw', interpolate: 'draw', repaint: 'draw' },
  ...{ train: 'train', resume: 'train', evaluate: 'train', check: 'look' },
};

/** Whether a job of this kind makes pictures. */
export const isDrawing = (kind: JobKind): boolean => LANE_OF[kind] === 'draw';

/** Finished jobs that stay on the list. */
const MOST_FINISHED = 100;

/** What a job may change of itself while it runs. */
export type JobChange = Partial<Pick<Job, 'notes' | 'pictures' | 'run' | 'report' | 'title'>> & {
  readonly progress?: Progress | undefined;
};

/** What a new job may have from the start: one of an earlier studio keeps its id, its time and its pictures. */
export type JobFacts = JobChange & Partial<Pick<Job, 'id' | 'created'>>;

/** A job as the one who does it sees it. */
export interface Running {
  readonly id: string;
  /** Aborted when it is cancelled. */
  readonly cancelled: AbortSignal;
  /** Aborted when it is to pause. */
  readonly paused: AbortSignal;
  /** Aborted when the studio ends. */
  readonly closing: AbortSignal;
  change(change: JobChange): void;
}

/** How a job is done. */
export interface Work {
  /**
   * Do it, or go on with it after a pause.
   * @returns whether it is done, or halted because it was paused.
   * @throws what it failed with; anything once it is cancelled.
   */
  run(job: Running): Promise<'done' | 'paused'>;
  /** Called when it is cancelled while it does not run. */
  discard?(): Promise<void>;
}

interface Entry {
  job: Job;
  readonly lane: Lane;
  readonly work: Work;
  cancel: AbortController;
  pause: AbortController;
  running: Promise<void> | undefined;
}

export interface JobsOptions {
  /** Called when a job is new or has changed. */
  readonly onJob: (job: Job) => void;
  /** Called when jobs have another order, or are fewer. */
  readonly onList: (jobs: readonly Job[]) => void;
  /** Called when a job ends, in whatever way. */
  readonly onEnd?: (job: Job) => void;
  /** Called when `unfinished` may have changed. */
  readonly onQueue?: () => void;
  /** Jobs that may wait in a lane. */
  readonly most: number;
}

const isOver = ({ state }: Job): boolean => state === 'done' || state === 'failed' || state === 'cancelled';

/** The queue: lanes work beside each other, and in each runs one job at a time, in their order. */
export class Jobs {
  readonly #options: JobsOptions;
  /** In the order in which they run. */
  #entries: Entry[] = [];
  readonly #closing = new AbortController();
  #isHeld = false;

  constructor(options: JobsOptions) {
    this.#options = options;
  }

  /** Unfinished ones in order, lane by lane; then finished ones, the newest first. */
  get list(): readonly Job[] {
    const jobs = this.#entries.map((entry) => entry.job);
    const open = LANES.flatMap((lane) => this.#entries.filter((one) => one.lane === lane && !isOver(one.job)));
    return [...open.map(({ job }) => job), ...jobs.filter(isOver).reverse()];
  }

  /** What is to be done still, in the order in which it runs: a job that is being cancelled is none of it. */
  get unfinished(): readonly Job[] {
    return this.#entries.filter(({ job, cancel }) => !isOver(job) && !cancel.signal.aborted).map(({ job }) => job);
  }

  /** @throws UserError if there is none. */
  get(id: string): Job {
    return this.#entry(id).job;
  }

  /**
   * Add a job at the end of its lane.
   * @throws TooMany if too many wait, or the studio is closing.
   */
  add(request: JobRequest, title: string, work: Work, facts: JobFacts = {}): Job {
    if (this.#closing.signal.aborted) throw new TooMany('The studio is closing: start it again');
    const lane = LANE_OF[request.kind];
    const waiting = this.#entries.filter((one) => one.lane === lane && !isOver(one.job)).length;
    if (waiting > this.#options.most)
      throw new TooMany(`${waiting} jobs wait already: let some of them finish, or cancel them`);
    const job: Job = {
      ...{ id: randomBytes(6).toString('hex'), kind: request.kind, title, state: 'waiting', request },
      ...{ created: new Date().toISOString(), started: undefined, ended: undefined },
      ...{ progress: undefined, error: undefined, notes: [], pictures: [], run: undefined, report: undefined },
      ...facts,
    };
    const entry: Entry = {
      ...{ job, lane, work, running: undefined },
      ...{ cancel: new AbortController(), pause: new AbortController() },
    };
    this.#entries.push(entry);
    this.#options.onJob(job);
    this.#queueChanged();
    this.#pump();
    return this.get(job.id);
  }

  /** Add jobs, and pause some of them, before the first one starts. */
  together(add: () => void): void {
    this.#isHeld = true;
    try {
      add();
    } finally {
      this.#isHeld = false;
      this.#queueChanged();
      this.#pump();
    }
  }

  /** Cancel a job; one that is over leaves the list. @throws UserError if there is none. */
  async cancel(id: string): Promise<void> {
    const entry = this.#entry(id);
    if (isOver(entry.job)) {
      this.#entries = this.#entries.filter((one) => one !== entry);
      this.#options.onList(this.list);
      return;
    }
    entry.cancel.abort();
    this.#queueChanged();
    if (entry.running) return;
    this.#set(entry, { state: 'cancelled', ended: new Date().toISOString() });
    await entry.work.discard?.();
  }

  /** Hold a job back, or halt it at its next step. @throws UserError if there is none, or it is over. */
  pause(id: string): Job {
    const entry = this.#unfinished(id);
    if (entry.running) entry.pause.abort();
    else this.#set(entry, { state: 'paused' });
    return entry.job;
  }

  /**
   * Let a paused job wait for its turn, in front of its lane; one that is about to halt goes on.
   * @throws UserError if there is none, or it is over.
   */
  resume(id: string): Job {
    const entry = this.#unfinished(id);
    if (entry.job.state !== 'paused' && !entry.pause.signal.aborted) return entry.job;
    entry.pause = new AbortController();
    this.#entries = [entry, ...this.#entries.filter((one) => one !== entry)];
    if (entry.job.state === 'paused') this.#set(entry, { state: 'waiting' });
    this.#options.onList(this.list);
    this.#queueChanged();
    this.#pump();
    return entry.job;
  }

  /** Put a job that waits in front of another one, or last. @throws UserError if there is none. */
  move(id: string, before: string | null): readonly Job[] {
    const entry = this.#unfinished(id);
    if (before === id) return this.list;
    const others = this.#entries.filter((one) => one !== entry);
    const at = before === null ? others.length : others.indexOf(this.#entry(before));
    this.#entries = [...others.slice(0, at), entry, ...others.slice(at)];
    const { list } = this;
    this.#options.onList(list);
    this.#queueChanged();
    return list;
  }

  /** Start nothing more, and wait until what runs has been left. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#entries.map(({ running }) => running));
  }

  #entry(id: string): Entry {
    const found = this.#entries.find(({ job }) => job.id === id);
    if (!found) throw new Missing(`There is no job ${id}: it may have been taken off the list`);
    return found;
  }

  #unfinished(id: string): Entry {
    const entry = this.#entry(id);
    if (isOver(entry.job)) throw new UserError(`The job "${entry.job.title}" is over (${entry.job.state})`);
    return entry;
  }

  #set(entry: Entry, change: Partial<Job>): void {
    entry.job = { ...entry.job, ...change };
    this.#options.onJob(entry.job);
    this.#queueChanged();
    if (isOver(entry.job) && change.state !== undefined) {
      this.#options.onEnd?.(entry.job);
      this.#forget();
    }
  }

  /** What ends because the studio ends is not finished. */
  #queueChanged(): void {
    if (!this.#closing.signal.aborted && !this.#isHeld) this.#options.onQueue?.();
  }

  #forget(): void {
    const over = this.#entries.filter(({ job }) => isOver(job));
    const old = new Set(over.slice(0, Math.max(0, over.length - MOST_FINISHED)));
    if (old.size > 0) this.#entries = this.#entries.filter((entry) => !old.has(entry));
  }

  /** Start what can run. */
  #pump(): void {
    if (this.#closing.signal.aborted || this.#isHeld) return;
    for (const lane of LANES) {
      const own = this.#entries.filter((entry) => entry.lane === lane);
      if (own.some(({ running }) => running)) continue;
      const next = own.find(({ job }) => job.state === 'waiting');
      if (next) next.running = this.#run(next);
    }
  }

  async #run(entry: Entry): Promise<void> {
    this.#set(entry, { state: 'running', started: entry.job.started ?? new Date().toISOString() });
    const { job, cancel, pause, work } = entry;
    const change = (one: JobChange): void => this.#set(entry, one);
    const ended = () => ({ ended: new Date().toISOString() });
    try {
      const signals = { cancelled: cancel.signal, paused: pause.signal, closing: this.#closing.signal };
      const outcome = await work.run({ id: job.id, ...signals, change });
      if (outcome === 'done') this.#set(entry, { state: 'done', ...ended() });
      // It may have been resumed before it halted.
      else this.#set(entry, { state: entry.pause.signal.aborted ? 'paused' : 'waiting' });
      if (outcome === 'paused' && cancel.signal.aborted) await this.#cancelHalted(entry);
    } catch (error) {
      const state = cancel.signal.aborted ? ('cancelled' as const) : ('failed' as const);
      this.#set(entry, { state, ...(state === 'failed' && { error: messageOf(error) }), ...ended() });
    } finally {
      entry.running = undefined;
      this.#pump();
    }
  }

  async #cancelHalted(entry: Entry): Promise<void> {
    this.#set(entry, { state: 'cancelled', ended: new Date().toISOString() });
    await entry.work.discard?.();
  }
}
