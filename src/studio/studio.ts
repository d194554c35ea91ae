/** The studio: a model that draws, its history, trainings, data and reports, and the jobs that join them. */

import path from 'node:path';
import { Interrupted, messageOf, UserError } from '../base/errors.ts';
import type { EngineOptions } from '../engine/engine.ts';
import { makeFolder } from '../files/atomic.ts';
import { gridSize, type Recipe } from '../recipe/schema.ts';
import { RunDirectory } from '../run/directory.ts';
import { lockRun, type RunLock, trainerOf } from '../run/lock.ts';
import { Checks } from './data/checks.ts';
import { Places } from './data/places.ts';
import { Sets } from './data/sets.ts';
import { Painter } from './drawing/painter.ts';
import { Events } from './events.ts';
import { History } from './history/history.ts';
import { Jobs } from './jobs/jobs.ts';
import { KeptQueue } from './jobs/kept.ts';
import type { ModelFacts, Preview, StudioEvent, StudioState } from './protocol.ts';
import { TooMany } from './refusals.ts';
import type { DetailsSources } from './runs/details.ts';
import { Reports } from './runs/reports.ts';
import { Runs } from './runs/runs.ts';
import { pauseLoses, Trainings } from './runs/trainings.ts';
import { limits, samplerFacts, settingFacts } from './state.ts';

export interface StudioOptions {
  /** A run directory that draws. */
  readonly model: string;
  /** Where runs are. */
  readonly runs: string;
  /** Where everything is kept: history, uploads, records of trainings. */
  readonly folder: string;
  /** Folders and archives of pictures that may be trained on. */
  readonly data: readonly string[];
  readonly version: string;
  /** Prompts that a model of drawn faces answers, and the folder of the one that is shipped. */
  readonly facePrompts: readonly string[];
  readonly faces?: string | undefined;
  /** What the numbers of a training log mean, by name. */
  readonly meanings: Readonly<Record<string, string>>;
  readonly engine: EngineOptions;
}

/** Where to compute, as options of the command line. */
export const deviceWords = ({ device = 'cpu', threads = 0 }: EngineOptions): readonly string[] => [
  ...(device === 'cpu' ? [] : ['--device', device]),
  ...(threads === 0 ? [] : ['--threads', `${threads}`]),
];

/** One studio on one folder, which it locks until it is closed. */
export class Studio {
  readonly options: StudioOptions;
  readonly events = new Events();
  readonly painter: Painter;
  readonly history: History;
  readonly trainings: Trainings;
  readonly runs: Runs;
  readonly places: Places;
  readonly sets: Sets;
  readonly checks: Checks;
  readonly reports: Reports;
  readonly jobs: Jobs;
  readonly queue: KeptQueue;
  readonly #closing = new AbortController();
  readonly #lock: RunLock;
  readonly #previews = new Map<string, Preview>();
  #model: ModelFacts;
  #modelFolder: string;
  #recipe: Recipe;
  /** Settles when the model is ready, or failed. */
  #loading: Promise<void>;

  /** @throws UserError if the model or a folder of data is not there, or another studio has the folder. */
  constructor(options: StudioOptions) {
    this.options = options;
    const { folder, model } = options;
    RunDirectory.open(model);
    this.places = new Places(options.data);
    makeFolder(folder);
    makeFolder(options.runs);
    const other = trainerOf(folder);
    if (other)
      throw new UserError(
        `${folder} is in use by another studio (process ${other.pid} on ${other.host}): open that one, or choose another folder`,
      );
    this.#lock = lockRun(folder);
    const inside = (name: string) => path.join(folder, name);
    this.history = new History(folder);
    this.sets = new Sets(inside('sets'), limits);
    this.checks = new Checks(inside('checks'));
    this.reports = new Reports(inside('reports'));
    this.painter = new Painter(options.engine);
    this.trainings = new Trainings({
      ...{ folder: inside('trainings'), runs: options.runs, device: deviceWords(options.engine) },
      onChange: (name) => this.runs.changed(name),
    });
    this.runs = new Runs({
      ...{ folder: options.runs, trainings: this.trainings },
      onRun: (run, numbers) => this.events.publish({ type: 'run', run, numbers }),
      isWatched: () => this.events.listeners > 0,
    });
    this.jobs = new Jobs({
      most: limits.queue,
      onJob: (job) => this.events.publish({ type: 'job', job }),
      onList: (jobs) => this.events.publish({ type: 'jobs', jobs }),
      onEnd: ({ id }) => void this.#previews.delete(id),
      onQueue: () => this.queue.write(this.#model.run, this.jobs.unfinished),
    });
    this.queue = new KeptQueue(folder, model);
    const run = this.#isModel(this.queue.run) ? this.queue.run : undefined;
    this.#modelFolder = run === undefined ? model : this.runs.folder(run);
    this.#recipe = RunDirectory.open(this.#modelFolder).settings.recipe;
    this.#model = this.#factsOf(this.#modelFolder, run, this.#recipe);
    this.#loading = this.#load();
  }

  /** Aborted when the studio ends. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  get model(): ModelFacts {
    return this.#model;
  }

  /** The recipe of the open model. */
  get recipe(): Recipe {
    return this.#recipe;
  }

  /** The folder of the open model. */
  get modelFolder(): string {
    return this.#modelFolder;
  }

  get state(): StudioState {
    const { version, folder } = this.options;
    const { model, recipe } = this;
    const forms = { settings: settingFacts(recipe), samplers: samplerFacts(recipe), limits };
    return { version, model, ...forms, pauseLoses: pauseLoses(), folder };
  }

  get details(): DetailsSources {
    return { runs: this.runs, trainings: this.trainings, meanings: this.options.meanings };
  }

  /** The present state, for a new listener. */
  present(): StudioEvent {
    const previews = [...this.#previews.values()];
    return { type: 'present', jobs: this.jobs.list, previews, model: this.model, runs: this.runs.list() };
  }

  /** Settles when the model is ready. @throws UserError if it cannot be opened. */
  async ready(): Promise<void> {
    await this.#loading;
    if (this.#model.state === 'failed') throw new UserError(this.#model.error ?? 'The model cannot be opened');
  }

  preview(preview: Preview): void {
    this.#previews.set(preview.job, preview);
    this.events.publish({ type: 'preview', preview });
  }

  /**
   * Draw with another model from here on.
   * @param run the id of a run; null is the model that the studio was started with.
   * @throws Missing or UserError if there is no such model, TooMany while another one is loading.
   */
  choose(run: string | null): ModelFacts {
    if (this.#model.state === 'loading') throw new TooMany('A model is loading: wait until it is there');
    const folder = run === null ? this.options.model : this.runs.folder(run);
    const { recipe } = RunDirectory.open(folder).settings;
    this.#modelFolder = folder;
    this.#recipe = recipe;
    this.#model = this.#factsOf(folder, run ?? undefined, recipe);
    this.queue.write(this.#model.run, this.jobs.unfinished);
    this.#loading = this.#load();
    return this.#model;
  }

  /** Leave what runs, trainings at work, and close the model. */
  async close(): Promise<void> {
    this.#closing.abort(new Interrupted('The studio was closed'));
    this.events.close();
    this.runs.close();
    await this.jobs.close();
    await this.#loading;
    await this.painter.close();
    this.#lock.release();
  }

  #isModel(run: string | undefined): boolean {
    return run !== undefined && this.runs.list().some(({ id, isModel }) => id === run && isModel);
  }

  async #load(): Promise<void> {
    this.events.publish({ type: 'model', model: this.#model });
    try {
      const hash = await this.painter.load(this.#modelFolder);
      this.#model = { ...this.#model, state: 'ready', hash };
    } catch (error) {
      this.#model = { ...this.#model, state: 'failed', error: messageOf(error) };
    }
    this.events.publish({ type: 'model', model: this.#model });
  }

  #factsOf(folder: string, run: string | undefined, recipe: Recipe): ModelFacts {
    const { data } = RunDirectory.open(folder).settings;
    const { faces, facePrompts } = this.options;
    return {
      ...{ run, name: path.basename(path.resolve(folder)), state: 'loading', error: undefined, hash: undefined },
      ...{ preset: recipe.preset, imageSize: recipe.imageSize, grid: gridSize(recipe) },
      examples: data === 'faces' || folder === faces ? facePrompts : [],
    };
  }
}
