/** How training goes on after a fault: from the last good checkpoint, without the step that is to blame. */

import { UserError } from '../../base/errors.ts';
import { ALONE, lead, type Ranks } from '../../mpi/ranks.ts';
import type { RunDirectory } from '../../run/directory.ts';
import type { Stage } from '../../stage/stage.ts';
import { type Standing, standingOf } from '../standing.ts';
import { adviceFor, Blame, type FaultKind } from './faults.ts';
import { type Guard, MOST_SKIPPED } from './guard.ts';
import type { StageState } from './stage-state.ts';
import type { StepReports } from './step-reports.ts';

/** The way back of one stage, with the steps that were blamed so far. */
export class Recovery {
  private readonly blame = new Blame();
  private readonly run: RunDirectory;
  private readonly ranks: Ranks;

  constructor(
    private readonly stage: Stage,
    private readonly state: StageState,
    private readonly reports: StepReports,
    { run, ranks = ALONE }: { readonly run: RunDirectory; readonly ranks?: Ranks | undefined },
  ) {
    this.run = run;
    this.ranks = ranks;
  }

  /**
   * Go back to the last good checkpoint after a fault at `step`, and leave out the step that is to blame: `guard` skips
   * it from now on, or halves the learning rate. A checkpoint that holds the fault stays on the disk until a later one
   * takes its place.
   * @returns the number of steps after which training goes on.
   * @throws UserError when no rate helps, with a command that goes on.
   */
  async recover(fault: string, kind: FaultKind, step: number, guard: Guard): Promise<number> {
    const { stage, run, state, reports } = this;
    const shown = step + (kind === 'weights' ? 0 : 1);
    const { step: blamed, cleared } = this.blame.for(kind, step, guard);

    const { candidates } = await lead(this.ranks, () => standingOf(run, stage, 'go-on'));
    const isFit = ({ facts }: Standing['candidates'][number]) => facts.step <= blamed;
    const fit = state.saved === undefined ? [] : candidates.filter(isFit);
    const taken = await state.takeUp(fit);
    const remedy = guard.remedy(blamed, cleared, taken.guard);
    reports.trimLog(taken.step);
    if (remedy === 'stop') throw new UserError(adviceFor(fault, shown, state.saved ?? 0, stage.name, run));
    const where = `${stage.name}: ${fault} at step ${shown}`;
    const from = `it goes on from step ${taken.step}`;
    if (remedy === 'skip') reports.note(`${where}: step ${blamed + 1} is left out, and ${from}`);
    else
      reports.note(
        `${where} after ${MOST_SKIPPED} steps were left out: ${from} with half the learning rate (${guard.rate} of that in the settings)`,
      );
    return taken.step;
  }
}
