/** Ranks that train together hold the same weights: a difference is a fault of the machine. */

import { UserError } from '../../base/errors.ts';
import { gatherTexts, type Ranks } from '../../mpi/ranks.ts';
import type { Stage } from '../../stage/stage.ts';
import { partsText } from '../standing.ts';

/**
 * Compare what the ranks are about to train: settings, pictures and models, as a stage's fingerprint has them, and what
 * a resumed run may change.
 * @throws UserError naming the first rank that differs from rank 0.
 */
export async function assertSameStart(ranks: Ranks, stage: Stage): Promise<void> {
  if (ranks.size === 1) return;
  const { name, fingerprint, madeFrom = {}, steps, batch } = stage;
  const rates = [0, 0.5, 1].map((part) => `${stage.learningRate?.(Math.floor(part * (steps - 1)))}`);
  const schedule = [steps, batch, ...rates].join();
  const all = await gatherTexts(ranks, JSON.stringify({ ...madeFrom, schedule, fingerprint }));
  const other = firstOther(all);
  if (other < 0) return;
  const [first, its] = [all[0]!, all[other]!].map((text) => JSON.parse(text) as Readonly<Record<string, string>>);
  const parts = Object.keys(first!).filter((part) => part !== 'fingerprint' && first![part] !== its![part]);
  throw new UserError(
    `${name}: rank ${other} differs from rank 0 in ${partsText(parts) || 'its settings, pictures or models'}: start all ranks with the same words, on a folder that all machines share`,
  );
}

/**
 * Compare a hash over all ranks.
 * @throws UserError naming the first rank that differs from rank 0.
 */
export async function assertAlike(ranks: Ranks, hash: string, where: string): Promise<void> {
  if (ranks.size === 1) return;
  const other = firstOther(await gatherTexts(ranks, hash));
  if (other >= 0)
    throw new UserError(
      `${where}: the weights of rank ${other} are not those of rank 0 any more: its processor, memory or MPI library is at fault; the checkpoint before it is sound`,
    );
}

/** The first rank whose text is not that of rank 0, or −1. */
const firstOther = (all: readonly string[]): number => all.findIndex((one) => one !== all[0]);
