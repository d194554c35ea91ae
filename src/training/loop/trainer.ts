/**
 * The trainer: one loop for all stages. It steps, reports (`step-reports.ts`), keeps checkpoints (`stage-state.ts`),
 * goes back after a fault (`recovery.ts`), stops at a signal, and picks up where it stopped.
 */

import { Interrupted, UserError } from '../../base/errors.ts';
import { option } from '../../base/options.ts';
import { NotFinite } from '../../checkpoint/finite.ts';
import type { Engine } from '../../engine/engine.ts';
import { ALONE, lead, type Ranks } from '../../mpi/ranks.ts';
import { provenanceTexts } from '../../run/provenance.ts';
import type { Progress } from '../../stage/display.ts';
import type { Metrics, Stage } from '../../stage/stage.ts';
import type { RunContext } from '../context.ts';
import { isDone, type StageIdentity, type Standing, standingOf } from '../standing.ts';
import { type Advance, advance, meansOf } from './advance.ts';
import { collapseNote } from './collapse.ts';
import { assertSameStart } from './drift.ts';
import { type FaultKind, hardlyLearned, nothingLearned } from './faults.ts';
import { Guard, MOST_SKIPPED } from './guard.ts';
import { Recovery } from './recovery.ts';
import { isCrossed, StageState } from './stage-state.ts';
import { StepReports } from './step-reports.ts';

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
  /** Steps after which the stage ends. */
  private end: number;
  /** Whether the stage ends before its last step, because more are of no use. */
  private hasEnough = false;
  /** Steps done, those left out included. */
  private step = 0;
  /** Steps done before the last ones: ranks that train for themselves make several before they meet. */
  private since = 0;
  private guard = Guard.from();
  private readonly state: StageState;
  private readonly recovery: Recovery;
  private readonly reports: StepReports;
  private readonly ranks: Ranks;

  constructor(
    private readonly stage: Stage,
    private readonly options: TrainOptions,
  ) {
    this.end = lastStep(stage, options.maxSteps);
    this.ranks = options.ranks ?? ALONE;
    this.state = new StageState(stage, options);
    this.reports = new StepReports(stage, this.end, options);
    this.recovery = new Recovery(stage, this.state, this.reports, options);
  }

  async run(): Promise<void> {
    await this.begin();
    for (;;) {
      await this.stopIfAborted();
      if (this.step < this.end) await (this.guard.isSkipped(this.step) ? this.skip() : this.advance());
      else if (await this.settle()) break;
    }
    await this.finish();
  }

  /** Take up the newest sound checkpoint, or the stage's beginning. */
  private async begin(): Promise<void> {
    const { stage, reports } = this;
    const { run, engine, resume, changed, threads } = this.options;
    const standing: Standing = resume
      ? await lead(this.ranks, () => standingOf(run, stage, changed))
      : { candidates: [], notes: [] };
    for (const note of standing.notes) reports.note(note);
    ({ step: this.step, guard: this.guard } = await this.state.takeUp(standing.candidates, changed));
    const threadsBefore = standing.candidates[0]?.facts.threads;
    if (this.step < this.end && threads !== undefined && threadsBefore !== undefined && threadsBefore !== threads)
      reports.note(
        `${stage.name}: it was trained with ${threadsBefore} threads so far and goes on with ${threads}: results differ in the last bits (${option('threads', threadsBefore)} repeats the run exactly)`,
      );
    reports.beginAt(this.step, engine.footprint());
  }

  /** @throws Interrupted where the signal has fired on any rank, after a checkpoint was written. */
  private async stopIfAborted(): Promise<void> {
    const [isAborted] = await this.agreed(this.options.signal?.aborted);
    if (!isAborted) return;
    await this.saveIfSound();
    throw new Interrupted(`Stopped in stage ${this.stage.name} after step ${this.step} of ${this.end}`);
  }

  /** The next step, or all up to the next meeting of the ranks; then a sheet and a checkpoint where they are due. */
  private async advance(): Promise<void> {
    const { stage, options, state, step } = this;
    this.since = step;
    if (!(await this.take(await advance(stage, step, this.end, this.guard, options)))) return;
    this.endIfEnough();
    if (this.step >= this.end) return;
    await this.drawSheet();
    const [isTooLarge, isDue] = await this.agreed(options.isTooLarge?.(), state.isDue(this.step, this.since));
    if (isTooLarge) {
      await this.saveIfSound();
      throw new TooLarge(this.step, this.end);
    }
    if (isDue) await this.save();
  }

  /**
   * Look at what steps have given, and report it.
   * @returns false if something was wrong and training goes on from an earlier step.
   */
  private async take(made: readonly Advance[]): Promise<boolean> {
    for (const [i, { metrics, learningRate }] of made.entries()) {
      if (!metrics) {
        this.reports.leftOut(++this.step);
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

  /** @param isStateOf whether the state is that after this step. */
  private async report(metrics: Metrics, learningRate: number | undefined, isStateOf: boolean): Promise<void> {
    const { step, end, since } = this;
    const { checkpointEvery, hashEvery = checkpointEvery } = this.options;
    const isHashed = hashEvery > 0 && isStateOf && (isCrossed(hashEvery, since, step) || step === end);
    const hashes = isHashed ? await this.state.hashes(step) : undefined;
    this.reports.trained({ step, metrics, learningRate, hashes }, end, this.guard.rate);
  }

  /** Every rank looks at the same pairs with the same weights, and finds the same. */
  private endIfEnough(): void {
    const enough = this.step < this.end ? this.stage.enough?.(this.step) : undefined;
    if (enough === undefined) return;
    this.reports.note(enough);
    this.hasEnough = true;
    this.end = this.step;
  }

  /** Leave out the next step, which was found to be at fault before. */
  private async skip(): Promise<void> {
    if (!(await this.state.isSound())) {
      await this.recover('the weights are not finite', 'weights');
      return;
    }
    this.since = this.step;
    await this.stage.skip?.(this.step);
    this.reports.leftOut(++this.step);
    // Unless no step was trained yet: a lower rate begins anew then.
    if (this.step < this.end && (await this.agreed(this.state.isDue(this.step)))[0] && this.hasTrained)
      await this.save();
  }

  /** For each flag whether it is set on any rank: all of them get the same answers. */
  private async agreed(...flags: (boolean | undefined)[]): Promise<boolean[]> {
    if (this.ranks.size === 1) return flags.map(Boolean);
    return (await this.ranks.max(flags.map(Number))).map((flag) => flag > 0);
  }

  /** Draw a sheet, where one is due before the last step. */
  private async drawSheet(): Promise<void> {
    const { drawSheet, sheetCount = SHEETS, sheetEvery = Math.ceil(this.end / sheetCount), engine } = this.options;
    if (this.ranks.rank !== 0 || !drawSheet || sheetEvery === 0) return;
    if (isCrossed(sheetEvery, this.since, this.step))
      await engine.span('sheet', () => drawSheet(this.stage, this.step, this.end / this.reports.rate));
  }

  /** Keep the state. @returns why it is not fit to be kept, if it is not. */
  private async keep(): Promise<string | undefined> {
    try {
      await this.state.save(this.step, this.guard, this.hasEnough);
      return undefined;
    } catch (error) {
      if (error instanceof NotFinite) return error.message;
      throw error;
    }
  }

  /** Keep the state; if it is not fit to be kept, go back. */
  private async save(): Promise<void> {
    const fault = await this.keep();
    if (fault !== undefined) await this.recover(fault, 'weights');
  }

  private get hasTrained(): boolean {
    return this.guard.trainedBefore(this.step) !== undefined;
  }

  /** Keep the state before a stop; one that is not fit to be kept is left behind. */
  private async saveIfSound(): Promise<void> {
    if (this.state.saved === this.step || (this.step > 0 && !this.hasTrained)) return;
    const fault = await this.keep();
    if (fault !== undefined) this.reports.note(`${fault}; the checkpoint of step ${this.state.saved ?? 0} stays`);
  }

  /** Go back to the last good checkpoint after a fault that shows at the current step. */
  private async recover(fault: string, kind: FaultKind): Promise<void> {
    this.step = await this.recovery.recover(fault, kind, this.step, this.guard);
  }

  /**
   * The end: the state is kept, and the loss of its weights is looked at, which no step has done, before the state is
   * taken up again to be exported.
   * @returns false if something was wrong and training goes on from an earlier step.
   * @throws UserError if all steps were left out: there is nothing to export.
   */
  private async settle(): Promise<boolean> {
    const { stage, end, guard } = this;
    const last = guard.trainedBefore(end);
    if (last === undefined && end > 0) throw new UserError(nothingLearned(end, stage.name, this.options.run));
    if (this.state.saved !== end) await this.save();
    if (this.step !== end) return false;
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

  /** Export the model, with notes on what was strange about its training. */
  private async finish(): Promise<void> {
    const { end, reports } = this;
    const { run, engine } = this.options;
    const { name, fingerprint, madeFrom } = this.stage;
    const { skipped } = this.guard;
    if (skipped.length > Math.max(2 * MOST_SKIPPED, end / 10))
      throw new UserError(hardlyLearned(skipped.length, end, name, run));
    const collapse = reports.last && collapseNote(name, reports.last, run.settings.recipe);
    if (collapse !== undefined) reports.note(collapse);
    const texts = provenanceTexts({ step: end, fingerprint, madeFrom });
    await engine.span('export', () => lead(this.ranks, () => this.stage.export(texts)));
    if (skipped.length > 0)
      reports.note(`${name}: ${skipped.length} steps were left out: ${skipped.map((n) => n + 1).join(', ')}`);
  }
}

/** Sheets a stage, by default. */
const SHEETS = 8;
