/** The trainer: one loop for all stages. It steps, reports, keeps checkpoints, stops when asked, and picks up where it stopped. */

import fs from 'node:fs';
import { Interrupted, UserError } from '../base/errors.ts';
import type { Engine } from '../engine/engine.ts';
import { sizeText } from '../engine/memory/resident.ts';
import type { RunDirectory } from '../run/directory.ts';
import type { Progress } from '../stage/display.ts';
import type { Stage } from '../stage/stage.ts';
import { checkpointSteps, resumeCheckpoint, saveCheckpoint } from './checkpoint.ts';

export interface TrainOptions {
  readonly run: RunDirectory;
  readonly engine: Engine;
  readonly resume: boolean;
  /** Steps between checkpoints; there is always one at the end and one on interruption. */
  readonly checkpointEvery: number;
  /** End after this many steps in all, if the stage is longer. */
  readonly maxSteps?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Asked between steps: whether the process holds more memory than it may. */
  readonly isTooLarge?: (() => boolean) | undefined;
  /** Hears in one sentence what is worth saying beside progress. */
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

/** Enough of a stage to know whether it is done. */
export type StageIdentity = Pick<Stage, 'name' | 'steps' | 'fingerprint'>;

const checkpointOf = (run: RunDirectory, { name }: StageIdentity): string =>
  run.file('checkpoints', `${name}.safetensors`);

const lastStep = ({ steps }: StageIdentity, maxSteps: number | undefined): number => Math.min(steps, maxSteps ?? steps);

/** Whether a resumed run has nothing left to do for a stage: its model is there, from the same inputs and settings, trained to its end. */
export function isFinished(
  stage: StageIdentity,
  { run, resume, maxSteps }: Pick<TrainOptions, 'run' | 'resume' | 'maxSteps'>,
): boolean {
  return (
    resume && run.hasModel(stage.name) && checkpointSteps(checkpointOf(run, stage), stage) === lastStep(stage, maxSteps)
  );
}

/**
 * Train one stage to its end and export its model.
 * @throws Interrupted when the signal fires, after a checkpoint was written.
 * @throws TooLarge when the process has grown beyond its limit, after a checkpoint was written.
 * @throws UserError when the loss is no longer a number; the last good checkpoint stays.
 */
export async function trainStage(stage: Stage, options: TrainOptions): Promise<void> {
  const { run, engine, signal } = options;
  const checkpoint = checkpointOf(run, stage);
  const end = lastStep(stage, options.maxSteps);
  const save = (step: number) => engine.span('checkpoint', () => saveCheckpoint(checkpoint, engine, stage, step));

  if (isFinished(stage, options)) return;
  await engine.drop('');
  await engine.span('prepare', () => stage.prepare());
  let step = 0;
  if (options.resume) {
    const done = await resumeCheckpoint(checkpoint, engine, stage);
    if (done !== undefined) step = done;
    else if (fs.existsSync(checkpoint))
      options.onNote?.(`${stage.name}: what it learns from has changed; it starts again`);
  }

  const { state, activations } = engine.footprint();
  if (step < end)
    options.onNote?.(
      `${stage.name}: ${sizeText(state)} of parameters and optimiser state, ${sizeText(activations)} of activations`,
    );
  const [first, memory] = [step, { stateBytes: state, activationBytes: activations }];

  const clock = new StepClock();
  let saved = step;
  while (step < end) {
    if (signal?.aborted) {
      await save(step);
      throw new Interrupted(`Stopped in stage ${stage.name} after step ${step} of ${end}`);
    }
    const metrics = await engine.span(`${stage.name} step`, () => stage.run(step));
    if (!Number.isFinite(metrics.loss))
      throw new UserError(
        `${stage.name}: the loss is ${metrics.loss} at step ${step + 1}; resume from step ${saved} with a lower learning rate (--set ${stage.name}.learningRate=…)`,
      );
    step++;
    const { rate, waiting } = clock.tick(stage.waited?.());
    const waits = waiting !== undefined && { waiting: rounded(waiting) };
    run.log({ stage: stage.name, step, ...metrics, ...waits, ...(step === first + 1 && memory) });
    const secondsLeft = (end - step) / rate;
    options.onProgress?.({ stage: stage.name, step, steps: end, metrics, rate, secondsLeft, waiting });
    if (step < end && options.isTooLarge?.()) {
      await save(step);
      throw new TooLarge(step, end);
    }
    if (step % options.checkpointEvery === 0 && step < end) {
      await save(step);
      saved = step;
    }
  }
  if (saved < step || step === 0) await save(step);
  await engine.span('export', () => stage.export());
}

const rounded = (share: number): number => Math.round(1000 * share) / 1000;

/** Steps a second, and the share of waiting, over the last few seconds. */
class StepClock {
  private readonly ticks: { readonly time: number; readonly waited: number | undefined }[] = [
    { time: performance.now(), waited: 0 },
  ];

  tick(waited: number | undefined): { readonly rate: number; readonly waiting: number | undefined } {
    this.ticks.push({ time: performance.now(), waited });
    while (this.ticks.length > 3 && this.ticks.at(-1)!.time - this.ticks[0]!.time > 8000) this.ticks.shift();
    const [first, last] = [this.ticks[0]!, this.ticks.at(-1)!];
    const passed = Math.max(1, last.time - first.time);
    return {
      rate: ((this.ticks.length - 1) * 1000) / passed,
      waiting: waited === undefined ? undefined : (waited - (first.waited ?? 0)) / passed,
    };
  }
}
