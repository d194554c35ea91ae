/** Faults within a stage: which step is to blame, and what to do when nothing helps. */

import { resumeCall } from '../../base/options.ts';
import type { RunDirectory } from '../../run/directory.ts';
import { type Guard, MOST_HALVINGS } from './guard.ts';

/** What was at fault: the loss of a step, its gradient, or weights that were checked. */
export type FaultKind = 'loss' | 'gradient' | 'weights';

/**
 * Finds the step that is to blame for a fault. A gradient is of the step itself. A loss belongs to the weights that the
 * step before it left, but first its own pictures are suspected: if that step is left out and the next one is at fault,
 * too, it was the weights.
 */
export class Blame {
  /** The last step whose loss was at fault, and whether the weights that it was computed with were blamed for it. */
  private trouble: { readonly step: number; readonly ofWeights: boolean } | undefined;

  /**
   * @param step at which the fault showed.
   * @returns the step to leave out, and those that were left out for it by mistake.
   */
  for(kind: FaultKind, step: number, guard: Guard): { readonly step: number; readonly cleared: readonly number[] } {
    const still = this.trouble && step <= this.trouble.step ? this.trouble : undefined;
    const last = guard.trainedBefore(step);
    const isAgain = guard.isSkipped(step - 1) && !still?.ofWeights;
    const isOwn = last === undefined || kind === 'gradient' || (kind === 'loss' && !isAgain);
    this.trouble = { step: still?.step ?? step, ofWeights: !isOwn || (still?.ofWeights ?? false) };
    if (isOwn) return { step, cleared: [] };
    return { step: last, cleared: Array.from({ length: step - last - 1 }, (_, i) => last + 1 + i) };
  }
}

/** What the user reads when no rate helps, with a command that works. */
export const adviceFor = (fault: string, step: number, kept: number, stage: string, run: RunDirectory): string =>
  `${stage}: ${fault} at step ${step}, also with ${1 / 2 ** MOST_HALVINGS} of the learning rate; what was good stays (step ${kept}). ${lowerRate(stage, run)}`;

/** What the user reads when no step of a stage was fit to be kept. */
export const nothingLearned = (steps: number, stage: string, run: RunDirectory): string =>
  `${stage}: nothing was learned, no model was written: ${steps === 1 ? 'its only step was' : `all ${steps} steps were`} left out, because ${steps === 1 ? 'its' : 'their'} numbers were not finite or far off. ${lowerRate(stage, run)}`;

/** What the user reads when too many steps were left out. */
export const hardlyLearned = (leftOut: number, steps: number, stage: string, run: RunDirectory): string =>
  `${stage}: ${leftOut} of ${steps} steps had to be left out, and no model was written. ${lowerRate(stage, run)}`;

function lowerRate(stage: string, run: RunDirectory): string {
  const { clip, tokenizer, diffusion, finetune } = run.settings.recipe;
  const own = Object.entries({ clip, tokenizer, diffusion, finetune }).find(([name]) => name === stage);
  const rate = own?.[1].learningRate ?? 1e-3;
  const lower = Number(Math.min(1e-3, rate / 2 ** (MOST_HALVINGS + 1)).toPrecision(1));
  return `Go on with a lower rate: ${resumeCall(run.path, { set: `${stage}.learningRate=${lower}` })}`;
}
