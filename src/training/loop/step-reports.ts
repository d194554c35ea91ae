/** What a stage reports as it goes: the logs of its run, the progress line, and notes. All are written by rank 0. */

import { sizeText } from '../../engine/memory/resident.ts';
import { ALONE, type Ranks } from '../../mpi/ranks.ts';
import type { RunDirectory } from '../../run/directory.ts';
import type { Progress } from '../../stage/display.ts';
import type { Metrics, Stage } from '../../stage/stage.ts';
import { trimSheets } from '../reports/sheets.ts';
import { type RecordedStep, Recorder } from './recorder.ts';
import { StepClock } from './step-clock.ts';

export interface ReportOptions {
  readonly run: RunDirectory;
  readonly ranks?: Ranks | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called with a sentence for the user, beside progress. */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** The reports of one stage. */
export class StepReports {
  /** Metrics of the last step. */
  last: Metrics | undefined;
  /** Steps a second, lately; infinite before the first step. */
  rate = Number.POSITIVE_INFINITY;
  private readonly isLead: boolean;
  private readonly clock: StepClock;
  private readonly recorder: Recorder;
  /** Bytes of state and activations, for the first line of the log. */
  private memory: Readonly<Record<string, number>> = {};

  /** @param end the number of steps after which the stage ends, as far as is known at its beginning. */
  constructor(
    private readonly stage: Stage,
    private readonly end: number,
    private readonly options: ReportOptions,
  ) {
    const { run, ranks = ALONE } = options;
    this.isLead = ranks.rank === 0;
    this.clock = new StepClock(ranks);
    this.recorder = new Recorder(run, stage.name, end);
  }

  /** Training begins after `step` steps: later entries and sheets of an earlier training are taken away. */
  beginAt(step: number, { state, activations }: { readonly state: number; readonly activations: number }): void {
    const { name } = this.stage;
    this.trimLog(step);
    if (this.isLead) trimSheets(this.options.run, name, step);
    this.memory = { stateBytes: state, activationBytes: activations };
    if (step < this.end)
      this.note(
        `${name}: ${sizeText(state)} of parameters and optimiser state, ${sizeText(activations)} of activations`,
      );
  }

  /** Take the entries after `step` steps out of the log. */
  trimLog(step: number): void {
    if (this.isLead) this.options.run.trimLog(this.stage.name, step);
  }

  /**
   * A step was trained.
   * @param end the number of steps after which the stage ends.
   * @param rateFactor what its learning rate is multiplied by after faults; 1 without.
   */
  trained(
    { step, metrics, learningRate, hashes }: Pick<RecordedStep, 'step' | 'metrics' | 'learningRate' | 'hashes'>,
    end: number,
    rateFactor: number,
  ): void {
    const { stage, options } = this;
    this.last = metrics;
    const { rate, waiting, ranks } = this.clock.tick(stage.waited?.());
    this.rate = rate;
    if (!this.isLead) return;
    const waits = waiting !== undefined && { waiting: Math.round(1000 * waiting) / 1000 };
    const slowed = rateFactor < 1 && { rateFactor };
    options.run.log({ stage: stage.name, step, ...metrics, ...slowed, ...waits, ...this.memory });
    this.memory = {};
    this.recorder.step({ step, rate, waiting, learningRate, metrics, hashes });
    const secondsLeft = (end - step) / rate;
    options.onProgress?.({ stage: stage.name, step, steps: end, metrics, rate, secondsLeft, waiting, ranks });
  }

  /** A step was left out; `step` counts it. */
  leftOut(step: number): void {
    if (this.isLead) this.options.run.log({ stage: this.stage.name, step, skipped: 1 });
  }

  /** A sentence for the user. */
  note(text: string): void {
    if (this.isLead) this.options.onNote?.(text);
  }
}
