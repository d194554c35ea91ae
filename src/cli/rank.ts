/** What this process is in a job of several ranks; by default it works alone. */

import { availableParallelism, cpus } from 'node:os';
import { ALONE, type Ranks } from '../mpi/ranks.ts';

let current: Ranks = ALONE;
let threads = 0;

/** The processes that work together. */
export const currentRanks = (): Ranks => current;

/** Threads that an engine has by default: 0 lets it choose, where no other rank computes on this machine. */
export const defaultThreads = (): number => threads;

/** From now on this process is one of several, `neighbours` of them on this machine. */
export function becomeRank(ranks: Ranks, neighbours: number): void {
  current = ranks;
  const available = availableParallelism();
  // A launcher that binds ranks to cores has shared them out already.
  const isBound = available < cpus().length;
  threads = Math.max(1, isBound ? available : Math.floor(available / neighbours));
}
