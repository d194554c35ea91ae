/** Ranks that train together hold the same weights: a difference is a fault of the machine. */

import { UserError } from '../base/errors.ts';
import { gatherTexts, type Ranks } from '../mpi/ranks.ts';

/**
 * Compare a hash over all ranks.
 * @throws UserError naming the first rank that differs from rank 0.
 */
export async function assertAlike(ranks: Ranks, hash: string, where: string): Promise<void> {
  if (ranks.size === 1) return;
  const hashes = await gatherTexts(ranks, hash);
  const other = hashes.findIndex((one) => one !== hashes[0]);
  if (other >= 0)
    throw new UserError(
      `${where}: the weights of rank ${other} are not those of rank 0 any more: its processor, memory or MPI library is at fault; the checkpoint before it is sound`,
    );
}
