/** What ranks that train together may do otherwise than add up float32 at every step. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { UserError } from '../base/errors.ts';
import { withHalfGradients } from '../mpi/half-sums.ts';
import type { Ranks } from '../mpi/ranks.ts';
import type { LocalSteps } from '../stage/local-steps.ts';
import { currentRanks } from './rank.ts';

export interface RankOptions {
  readonly compress?: 'float16';
  readonly sync?: LocalSteps;
}

/** As in DiLoCo (2311.08105). */
const OUTER = { rate: 0.7, momentum: 0.9 };

export const withRankOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--compress <format>', 'of gradients that travel between ranks (MPI): half the bytes').choices([
        'float16',
      ]),
    )
    .option(
      '--sync <local:n>',
      'for slow links between ranks (MPI): each makes n steps of the diffusion stages for itself before they meet; local:n:<rate>:<momentum> also sets the outer step (default: 0.7 and 0.9)',
      localSteps,
    );

function localSteps(text: string): LocalSteps {
  const [kind, steps, rate = OUTER.rate, momentum = OUTER.momentum, ...more] = text.split(':');
  const sync = { steps: Number(steps), rate: Number(rate), momentum: Number(momentum) };
  const isGood =
    kind === 'local' && more.length === 0 && Number.isSafeInteger(sync.steps) && sync.steps >= 1 && sync.rate > 0;
  if (!isGood || !(sync.momentum >= 0 && sync.momentum < 1))
    throw new InvalidArgumentError(
      'Give the steps between two meetings, 1 or more, such as local:16; with the outer rate (above 0) and momentum (from 0, below 1) local:16:0.7:0.9.',
    );
  return sync;
}

/**
 * The ranks that train, as the options want them.
 * @throws UserError where there is one process, and the options are of no use.
 */
export function trainingRanks({ compress, sync }: RankOptions): Ranks {
  const ranks = currentRanks();
  const option = compress !== undefined ? '--compress' : sync ? '--sync' : undefined;
  if (option !== undefined && ranks.size === 1)
    throw new UserError(`${option} is for several ranks: start clipvq with mpirun -n 4, or leave ${option} out`);
  return compress === undefined ? ranks : withHalfGradients(ranks);
}
