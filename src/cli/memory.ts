/** What is checked of `--memory` and `--accumulate` before anything runs. */

import { UserError } from '../base/errors.ts';
import { peakResidentBytes, sizeText } from '../engine/memory/resident.ts';
import { partsOf } from '../optim/micro-batches.ts';
import type { RunDirectory, RunSettings } from '../run/directory.ts';
import type { StageName } from '../stage/stage.ts';
import { foreseen, planUnder } from '../training/memory.ts';
import { plannedStage } from '../training/planned-stages.ts';

export interface PartsOptions {
  readonly accumulate?: number;
  /** Bytes. */
  readonly memory?: number;
}

/**
 * A limit of memory is one of the process: a GPU has memory of its own.
 * @throws UserError if something else than the CPU is to compute.
 */
export function checkLimit({ memory, device = 'cpu' }: { readonly memory?: number; readonly device?: string }): void {
  if (memory !== undefined && device !== 'cpu')
    throw new UserError(
      `--memory is about this process, and with --device ${device} training is in the memory of the GPU: leave it out, and use --accumulate`,
    );
}

/**
 * Whatever part of a batch is computed at once must be a whole number of pictures, and fit into the memory there may be.
 * @throws UserError, before anything runs.
 */
export function checkParts(
  options: PartsOptions,
  { recipe, clip }: RunSettings,
  stages: readonly StageName[],
  dim: number,
  resumed: RunDirectory | undefined,
): void {
  const { accumulate, memory: limit } = options;
  const peak = peakResidentBytes();
  if (limit !== undefined && clip !== 'compact' && peak > limit)
    throw new UserError(
      `--memory allows ${sizeText(limit)}, and the CLIP ${clip} alone has taken ${sizeText(peak)}: allow more`,
    );
  const trained = stages.filter((stage) => stage !== 'clip' || clip === 'compact');
  for (const [index, stage] of trained.entries()) {
    const planned = plannedStage(stage, recipe, dim);
    partsOf(planned.batch, accumulate);
    // A model that is there may be finished; if it is not, its stage is planned when its turn comes.
    if (limit !== undefined && !resumed?.hasModel(stage)) planUnder(planned, accumulate, limit, foreseen(stage, index));
  }
}
