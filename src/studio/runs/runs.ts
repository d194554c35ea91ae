/** The runs in a folder, as the page sees them, and what changes in them while they train. */

import fs from 'node:fs';
import path from 'node:path';
import { readRegular } from '../../files/regular-file.ts';
import { RunDirectory } from '../../run/directory.ts';
import { isHere } from '../../run/lock.ts';
import { lastLogged } from '../../training/reports/curves.ts';
import { SHEET_FOLDER, sheetOf } from '../../training/reports/sheet-files.ts';
import { findRuns, type RunSummary, summarizeRun } from '../../training/reports/summary.ts';
import { idOf } from '../ids.ts';
import type { LogEntry, Run } from '../protocol.ts';
import { Missing } from '../refusals.ts';
import { LogTail } from './log-tail.ts';
import type { Trainings } from './trainings.ts';

/** Milliseconds between two looks at runs that train, and at the whole folder. */
const [LOOK, SEARCH] = [1000, 8000];
const MOST_SHEET = 2 ** 28;

export interface RunsOptions {
  readonly folder: string;
  readonly trainings: Trainings;
  readonly onRun: (run: Run, numbers: readonly LogEntry[]) => void;
  /** Whether a page watches. */
  readonly isWatched: () => boolean;
}

/** The runs in a folder. Those that train are looked at every second while a page watches. */
export class Runs {
  readonly #options: RunsOptions;
  /** Folders by id: a run is named by nothing else. */
  readonly #folders = new Map<string, string>();
  readonly #seen = new Map<string, string>();
  readonly #tails = new Map<string, LogTail>();
  readonly #timer: NodeJS.Timeout;
  #searched = 0;

  constructor(options: RunsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), LOOK).unref();
  }

  /** The latest first. */
  list(): Run[] {
    const { folder, trainings } = this.#options;
    const found = (fs.existsSync(folder) ? findRuns(folder) : []).map((summary) => this.#facts(summary));
    const names = new Set(found.map(({ name }) => name));
    // A training that still looks at its pictures has no run yet.
    const starting = trainings.living.filter((name) => !names.has(name)).map((name) => this.#begun(name));
    const all = [...starting, ...found];
    for (const run of all) this.#seen.set(run.id, JSON.stringify(run));
    this.#searched = Date.now();
    return all;
  }

  /** @throws Missing if there is none. */
  get(id: string): Run {
    return this.#current(this.folder(id));
  }

  /** @throws Missing if there is none. */
  folder(id: string): string {
    if (!this.#folders.has(id)) this.list();
    const folder = this.#folders.get(id);
    if (folder === undefined) throw new Missing(`There is no run ${id}: it may have been moved`);
    return folder;
  }

  /** @throws Missing if there is none. */
  open(id: string): RunDirectory {
    return RunDirectory.open(this.folder(id));
  }

  /** What a run is called: its folder, from that of all runs on. */
  nameOf(folder: string): string {
    return path.relative(this.#options.folder, folder).replaceAll(path.sep, '/') || path.basename(folder);
  }

  idOf(name: string): string {
    const id = idOf(name);
    this.#folders.set(id, path.join(this.#options.folder, name));
    return id;
  }

  /** A sheet of a run, by the name that it is listed with. @throws Missing if there is none. */
  sheet(id: string, name: string): Buffer {
    const file = path.join(this.folder(id), SHEET_FOLDER, name);
    if (!sheetOf(name) || !fs.lstatSync(file, { throwIfNoEntry: false })?.isFile())
      throw new Missing('There is no such sheet: it may have been drawn anew');
    return readRegular(file, MOST_SHEET);
  }

  /** A run may have changed. */
  changed(name: string): void {
    this.#publish(path.join(this.#options.folder, name));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { trainings, isWatched } = this.#options;
    if (!isWatched()) return;
    try {
      if (Date.now() - this.#searched > SEARCH) {
        const before = new Map(this.#seen);
        for (const run of this.list())
          if (before.get(run.id) !== JSON.stringify(run)) this.#options.onRun(run, this.#numbers(run));
      } else for (const name of trainings.living) this.changed(name);
    } catch {
      // A run that is written at this moment is looked at again in the next.
    }
  }

  #publish(folder: string): void {
    const run = this.#current(folder);
    const numbers = this.#numbers(run);
    const text = JSON.stringify(run);
    if (this.#seen.get(run.id) === text && numbers.length === 0) return;
    this.#seen.set(run.id, text);
    this.#options.onRun(run, numbers);
  }

  #numbers({ id }: Run): readonly LogEntry[] {
    const tail = this.#tails.get(id) ?? new LogTail(path.join(this.#folders.get(id)!, 'log.jsonl'));
    this.#tails.set(id, tail);
    return tail.news();
  }

  #current(folder: string): Run {
    return RunDirectory.exists(folder) ? this.#facts(summarizeRun(folder)) : this.#begun(this.nameOf(folder));
  }

  /** A run whose settings are not written yet. */
  #begun(name: string): Run {
    const { trainings } = this.#options;
    const isLiving = trainings.process(name) !== undefined;
    return {
      ...{ id: this.idOf(name), name, preset: '', data: '', stages: [], isModel: false },
      ...{
        state: isLiving || !trainings.isKnown(name) ? 'starting' : 'failed',
        error: trainings.failure(name),
        canPause: isLiving,
      },
      ...{ lastActivity: new Date().toISOString(), rate: undefined, left: undefined },
    };
  }

  #facts({ run: folder, preset, data, stages, state, trainer, lastActivity }: RunSummary): Run {
    const { trainings } = this.#options;
    const name = this.nameOf(folder);
    const isOurs = trainings.process(name) !== undefined;
    const error = state === 'stopped' && !isOurs ? trainings.failure(name) : undefined;
    const isTraining = state === 'training' || isOurs;
    const rate = isTraining ? lastLogged(path.join(folder, 'metrics.jsonl'))?.values.rate : undefined;
    const at = stages.find(({ isDone }) => !isDone);
    return {
      ...{ id: this.idOf(name), name, preset, data: path.isAbsolute(data) ? path.basename(data) : data, stages },
      state: isTraining ? 'training' : error === undefined ? state : 'failed',
      ...{ error, lastActivity, rate },
      isModel: isModel(folder),
      canPause: isOurs || (trainer !== undefined && isHere(trainer)),
      left: rate !== undefined && rate > 0 && at ? Math.round((at.steps - at.step) / rate) : undefined,
    };
  }
}

const isModel = (folder: string): boolean => {
  const has = (stage: string) => fs.existsSync(path.join(folder, stage, 'model.safetensors'));
  return has('tokenizer') && (has('diffusion') || has('finetune'));
};
