/**
 * The trainer: one loop for all stages. It steps, reports, keeps checkpoints, stops at a signal, and picks up where it
 * stopped.
 */

import { Interrupted, UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import { NotFinite } from '../checkpoint/finite.ts';
import type { Engine } from '../engine/engine.ts';
import { sizeText } from '../engine/memory/resident.ts';
import { ALONE, lead, type Ranks } from '../mpi/ranks.ts';
import { provenanceTexts } from '../run/provenance.ts';
import type { Progress } from '../stage/display.ts';
import type { Metrics, Stage } from '../stage/stage.ts';
import { type Advance, advance, meansOf } from './advance.ts';
import { collapseNote } from './collapse.ts';
import type { RunContext } from './context.ts';
import { assertSameStart } from './drift.ts';
import { adviceFor, Blame, type FaultKind } from './faults.ts';
import { Guard, MOST_SKIPPED } from './guard.ts';
import { Recorder } from './recorder.ts';
import { trimSheets } from './sheets.ts';
import { isCrossed, StageState } from './stage-state.ts';
import { isDone, type StageIdentity, type Standing, standingOf } from './standing.ts';
import { StepClock } from './step-clock.ts';

export interface TrainOptions
  extends Pick<
    RunContext,
    | ('run' | 'resume' | 'checkpointEvery' | 'hashEvery' | 'maxSteps' | 'changed' | 'ranks' | 'sync')
    | ('drawSheet' | 'sheetEvery' | 'sheetCount')
  > {
  readonly engine: Engine;
  /** Seconds after which there is one whatever the steps. */
  readonly checkpointSeconds?: number | undefined;
  /** Threads that the engine computes with: results depend on their number in the last bits. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called between steps: whether the process holds more memory than it may. */
  readonly isTooLarge?: (() => boolean) | undefined;
  /** Called with a sentence for the user, beside progress. */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** Thrown when the process has grown beyond its limit; everything done so far is in the checkpoint. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge';
  constructor(
    readonly step: number,
    readonly steps: number,
  ) {
    super(`The process has grown too large at step ${step} of ${steps}`);
  }
}

const lastStep = ({ steps }: StageIdentity, maxSteps: number | undefined): number => Math.min(steps, maxSteps ?? steps);

/**
 * Whether a resumed run has nothing left to do for a stage: its model is there, from the same inputs and settings,
 * trained to its end.
 */
export function isFinished(
  stage: StageIdentity,
  { run, resume, maxSteps, changed }: Pick<TrainOptions, 'run' | 'resume' | 'maxSteps' | 'changed'>,
): boolean {
  return resume && isDone(run, stage, lastStep(stage, maxSteps), changed);
}

/**
 * Train one stage to its end and export its model. A step whose numbers are not finite, or far from those before it, is
 * taken back: training goes on from the last checkpoint and leaves that step out; after three of them at half the rate.
 * @throws Interrupted when the signal fires, after a checkpoint was written.
 * @throws TooLarge when the process has grown beyond its limit, after a checkpoint was written.
 * @throws UserError when no rate helps, when the stage was begun with other models, or when a rank has others; the last
 * good checkpoints stay.
 */
export async function trainStage(stage: Stage, options: TrainOptions): Promise<void> {
  await assertSameStart(options.ranks ?? ALONE, stage);
  if (await lead(options.ranks ?? ALONE, () => isFinished(stage, options))) return;
  await new Training(stage, options).run();
}

/** One stage on its way. */
class Training {
  private end: number;
  /** Whether the stage ends before its last step, because more are of no use. */
  private hasEnough = false;
  private readonly state: StageState;
  private guard = Guard.from();
  /** Steps done, those left out included. */
  private step = 0;
  private readonly blame = new Blame();
  private last: Metrics | undefined;
  /** The step after which the last ones were run: ranks that train for themselves make several before they meet. */
  private since = 0;
  /** Bytes of state and activations, for the first line of the log. */
  private memory: Readonly<Record<string, number>> = {};
  private clock: StepClock;
  /** Steps a second of late. */
  private rate = Number.POSITIVE_INFINITY;
  private readonly recorder: Recorder;
  private readonly ranks: Ranks;
  /** Files, notes and progress are those of one rank. */
  private readonly isLead: boolean;

  constructor(
    private readonly stage: Stage,
    private readonly options: TrainOptions,
  ) {
    this.end = lastStep(stage, options.maxSteps);
    this.state = new StageState(stage, options);
    this.ranks = options.ranks ?? ALONE;
    this.isLead = this.ranks.rank === 0;
    this.clock = new StepClock(this.ranks);
    this.recorder = new Recorder(options.run, stage.name, this.end);
  }

  async run(): Promise<void> {
    const { stage } = this;
    const { run, engine, signal, resume, changed } = this.options;
    const standing: Standing = resume
      ? await lead(this.ranks, () => standingOf(run, stage, changed))
      : { candidates: [], notes: [] };
    for (const note of standing.notes) this.note(note);
    ({ step: this.step, guard: this.guard } = await this.state.takeUp(standing.candidates));
    if (this.isLead) {
      run.trimLog(stage.name, this.step);
      trimSheets(run, stage.name, this.step);
    }
    this.noteThreads(standing);

    const { state, activations } = engine.footprint();
    if (this.step < this.end)
      this.note(
        `${stage.name}: ${sizeText(state)} of parameters and optimiser state, ${sizeText(activations)} of activations`,
      );
    this.memory = { stateBytes: state, activationBytes: activations };

    for (;;) {
      if ((await this.agreed(signal?.aborted))[0]) {
        await this.saveIfSound();
        throw new Interrupted(`Stopped in stage ${stage.name} after step ${this.step} of ${this.end}`);
      }
      if (this.step >= this.end) {
        if (!(await this.settle())) continue;
        break;
      }
      if (this.guard.isSkipped(this.step)) {
        if (!(await this.state.isSound())) {
          await this.recover('the weights are not finite', 'weights');
          continue;
        }
        this.since = this.step;
        await stage.skip?.(this.step);
        this.leaveOut();
        if (this.step < this.end && (await this.agreed(this.state.isDue(this.step)))[0]) await this.save();
        continue;
      }
      this.since = this.step;
      if (!(await this.take(await advance(stage, this.step, this.end, this.guard, this.options)))) continue;
      // Every rank looks at the same pairs with the same weights, and finds the same.
      const enough = this.step < this.end ? stage.enough?.(this.step) : undefined;
      if (enough !== undefined) {
        this.note(enough);
        this.hasEnough = true;
        this.end = this.step;
      }
      if (this.step >= this.end) continue;
      await this.drawSheet();
      const [isTooLarge, isDue] = await this.agreed(
        this.options.isTooLarge?.(),
        this.state.isDue(this.step, this.since),
      );
      if (isTooLarge) {
        await this.saveIfSound();
        throw new TooLarge(this.step, this.end);
      }
      if (isDue) await this.save();
    }
    const { end } = this;
    const { name, fingerprint, madeFrom } = stage;
    const leftOut = this.guard.skipped.length;
    if (leftOut > Math.max(2 * MOST_SKIPPED, end / 10))
      throw new UserError(
        adviceFor(`${leftOut} of ${end} steps had to be left out`, end, this.state.saved ?? 0, name, run),
      );
    const collapse = this.last && collapseNote(name, this.last, run.settings.recipe);
    if (collapse !== undefined) this.note(collapse);
    const texts = provenanceTexts({ step: end, fingerprint, madeFrom });
    await engine.span('export', () => lead(this.ranks, () => stage.export(texts)));
    if (this.guard.skipped.length > 0)
      this.note(
        `${name}: ${this.guard.skipped.length} steps were left out: ${this.guard.skipped.map((n) => n + 1).join(', ')}`,
      );
  }

  /**
   * Look at what steps have given, and report it.
   * @returns false if something was wrong and training goes on from an earlier step.
   */
  private async take(made: readonly Advance[]): Promise<boolean> {
    for (const [i, { metrics, learningRate }] of made.entries()) {
      if (!metrics) {
        this.leaveOut();
        continue;
      }
      const fault = this.guard.see(metrics);
      if (fault !== undefined) {
        await this.recover(fault, Number.isFinite(metrics.gradientNorm ?? 0) ? 'loss' : 'gradient');
        return false;
      }
      this.step++;
      await this.report(metrics, learningRate, i === made.length - 1);
    }
    return true;
  }

  private leaveOut(): void {
    this.step++;
    if (this.isLead) this.options.run.log({ stage: this.stage.name, step: this.step, skipped: 1 });
  }

  /** What any rank finds, for all of them. */
  private async agreed(...flags: (boolean | undefined)[]): Promise<boolean[]> {
    if (this.ranks.size === 1) return flags.map(Boolean);
    return (await this.ranks.max(flags.map(Number))).map((flag) => flag > 0);
  }

  /** @param isStateOf whether the state is that after this step. */
  private async report(metrics: Metrics, learningRate: number | undefined, isStateOf: boolean): Promise<void> {
    const { stage, step, end, since } = this;
    this.last = metrics;
    const { hashEvery = this.options.checkpointEvery } = this.options;
    const isHashed = hashEvery > 0 && isStateOf && (isCrossed(hashEvery, since, step) || step === end);
    const hashes = isHashed ? await this.state.hashes(step) : undefined;
    const { rate, waiting, ranks } = this.clock.tick(stage.waited?.());
    this.rate = rate;
    if (!this.isLead) return;
    const waits = waiting !== undefined && { waiting: Math.round(1000 * waiting) / 1000 };
    const slowed = this.guard.rate < 1 && { rateFactor: this.guard.rate };
    this.options.run.log({ stage: stage.name, step, ...metrics, ...slowed, ...waits, ...this.memory });
    this.memory = {};
    this.recorder.step({ step, rate, waiting, learningRate, metrics, hashes });
    const secondsLeft = (end - step) / rate;
    this.options.onProgress?.({ stage: stage.name, step, steps: end, metrics, rate, secondsLeft, waiting, ranks });
  }

  /** Draw a sheet, where one is due before the last step. */
  private async drawSheet(): Promise<void> {
    const { drawSheet, sheetCount = SHEETS, sheetEvery = Math.ceil(this.end / sheetCount), engine } = this.options;
    if (!this.isLead || !drawSheet || sheetEvery === 0 || !isCrossed(sheetEvery, this.since, this.step)) return;
    await engine.span('sheet', () => drawSheet(this.stage, this.step, this.end / this.rate));
  }

  /** Keep the state; if it is not fit to be kept, go back. */
  private async save(): Promise<void> {
    try {
      await this.state.save(this.step, this.guard, this.hasEnough);
    } catch (error) {
      if (!(error instanceof NotFinite)) throw error;
      await this.recover(error.message, 'weights');
    }
  }

  /** Keep the state before a stop; one that is not fit to be kept is left behind. */
  private async saveIfSound(): Promise<void> {
    if (this.state.saved === this.step) return;
    try {
      await this.state.save(this.step, this.guard, this.hasEnough);
    } catch (error) {
      if (!(error instanceof NotFinite)) throw error;
      this.note(`${error.message}; the checkpoint of step ${this.state.saved ?? 0} stays`);
    }
  }

  /**
   * The end: the state is kept, and the loss of its weights is looked at, which no step has done, before the state is
   * taken up again to be exported.
   * @returns false if something was wrong and training goes on from an earlier step.
   */
  private async settle(): Promise<boolean> {
    const { stage, end, guard } = this;
    if (this.state.saved !== end) await this.save();
    if (this.step !== end) return false;
    const last = guard.trainedBefore(end);
    if (last === undefined) return true;
    const metrics = await stage.run(last, guard.rate);
    const fault = guard.faultIn(this.options.sync ? await meansOf(this.ranks, metrics) : metrics);
    if (fault !== undefined) {
      await this.recover(fault, 'weights');
      return false;
    }
    await this.state.takeUpAgain();
    return true;
  }

  /**
   * Go back to the last good checkpoint after a fault at the current step, and leave out the step that is to blame. A
   * checkpoint that holds the fault stays on the disk until a later one takes its place.
   */
  private async recover(fault: string, kind: FaultKind): Promise<void> {
    const { stage, options, guard } = this;
    const shown = this.step + (kind === 'weights' ? 0 : 1);
    const { step: blamed, cleared } = this.blame.for(kind, this.step, guard);

    const { candidates } = await lead(this.ranks, () => standingOf(options.run, stage, 'go-on'));
    const isFit = ({ facts }: Standing['candidates'][number]) => facts.step <= blamed;
    const fit = this.state.saved === undefined ? [] : candidates.filter(isFit);
    const taken = await this.state.takeUp(fit);
    this.step = taken.step;
    const remedy = guard.remedy(blamed, cleared, taken.guard);
    if (this.isLead) options.run.trimLog(stage.name, this.step);
    if (remedy === 'stop') throw new UserError(adviceFor(fault, shown, this.state.saved ?? 0, stage.name, options.run));
    const where = `${stage.name}: ${fault} at step ${shown}`;
    const from = `it goes on from step ${this.step}`;
    if (remedy === 'skip') this.note(`${where}: step ${blamed + 1} is left out, and ${from}`);
    else
      this.note(
        `${where} after ${MOST_SKIPPED} steps were left out: ${from} with half the learning rate (${guard.rate} of that in the settings)`,
      );
  }

  private noteThreads({ candidates }: Standing): void {
    const { threads } = this.options;
    const was = candidates[0]?.facts.threads;
    if (threads === undefined || was === undefined || was === threads || this.step >= this.end) return;
    this.note(
      `${this.stage.name}: it was trained with ${was} threads so far and goes on with ${threads}: results differ in the last bits (${option('threads', was)} repeats the run exactly)`,
    );
  }

  private note(text: string): void {
    if (this.isLead) this.options.onNote?.(text);
  }
}

/** Sheets a stage, by default. */
const SHEETS = 8;
