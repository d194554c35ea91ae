/** What processes that work together need of each other, and the one process that works alone. */

import { Interrupted, messageOf, UserError } from '../base/errors.ts';

/**
 * The processes of a job, each with its number, as one of them sees it. Calls are collective: every rank makes them.
 */
export interface Ranks {
  /** This process, 0 to size − 1. */
  readonly rank: number;
  readonly size: number;
  /** Adds up an array over all ranks, in place: the result is the same on all of them, bit for bit. */
  sum(data: Float32Array): Promise<void>;
  /** The same for gradients, which may be rounded on their way (`half-sums.ts`). */
  sumGradients(data: Float32Array): Promise<void>;
  /** The largest value of each entry over all ranks. */
  max(values: readonly number[]): Promise<number[]>;
  /** What every rank gives, in the order of ranks; lengths may differ. */
  gather(bytes: Uint8Array): Promise<Uint8Array[]>;
  /**
   * Part i goes to rank i; comes back what every rank has for this one, in the order of ranks. All are equally long.
   */
  exchange(parts: readonly Uint8Array[]): Promise<Uint8Array[]>;
  /** Overwrites `bytes`, equally many on every rank, with those of rank 0. */
  broadcast(bytes: Uint8Array): Promise<void>;
  /** Resolves once every rank has made this call. */
  barrier(): Promise<void>;
  /** Where the time has gone, since the job began, in milliseconds. */
  readonly times: RankTimes;
}

export interface RankTimes {
  /** In collective calls, until the slowest rank had made them. */
  readonly waiting: number;
  /** In collective calls, after that. */
  readonly communicating: number;
}

/** The process that works alone. */
export const ALONE: Ranks = {
  rank: 0,
  size: 1,
  async sum() {},
  async sumGradients() {},
  max: async (values) => [...values],
  gather: async (bytes) => [bytes],
  exchange: async (parts) => [...parts],
  async broadcast() {},
  async barrier() {},
  times: { waiting: 0, communicating: 0 },
};

/** A text of every rank, in the order of ranks. */
export async function gatherTexts(ranks: Ranks, text: string): Promise<string[]> {
  const all = await ranks.gather(new TextEncoder().encode(text));
  return all.map((bytes) => new TextDecoder().decode(bytes));
}

/** The first rank whose text is not that of rank 0, or −1. */
export const firstOther = (all: readonly string[]): number => all.findIndex((one) => one !== all[0]);

/** A value of rank 0 on every rank; it travels as JSON. */
export async function shared<T>(ranks: Ranks, value: T | undefined): Promise<T> {
  if (ranks.size === 1) return value as T;
  const [text] = await gatherTexts(ranks, ranks.rank === 0 ? JSON.stringify({ value }) : '');
  return (JSON.parse(text!) as { readonly value: T }).value;
}

/**
 * What rank 0 does for all: the files of a run are its own. Every rank gets the result, which travels as JSON, or the
 * failure.
 */
export async function lead<T>(ranks: Ranks, task: () => Promise<T> | T): Promise<T> {
  if (ranks.size === 1) return task();
  let outcome: Outcome<T> | undefined;
  let failure: unknown;
  if (ranks.rank === 0)
    try {
      outcome = { value: await task() };
    } catch (error) {
      failure = error;
      outcome = { failed: { name: error instanceof Error ? error.name : '', message: messageOf(error) } };
    }
  const { value, failed } = await shared(ranks, outcome);
  if (!failed) return value as T;
  if (failure !== undefined) throw failure;
  if (failed.name === 'UserError') throw new UserError(failed.message);
  if (failed.name === 'Interrupted') throw new Interrupted(failed.message);
  throw new Error(failed.message);
}

/** What rank 0 does and keeps; the others get undefined. Where it fails, all ranks fail alike. */
export async function onlyFirst<T>(ranks: Ranks, task: () => Promise<T> | T): Promise<T | undefined> {
  const own: T[] = [];
  await lead(ranks, async () => {
    own.push(await task());
  });
  return own[0];
}

/** Rank 0 does something before the others do the same, so that they find what it leaves on the disk. */
export async function firstAlone<T>(ranks: Ranks, task: () => Promise<T>): Promise<T> {
  const first = await onlyFirst(ranks, task);
  return ranks.rank === 0 ? (first as T) : task();
}

interface Outcome<T> {
  readonly value?: T;
  readonly failed?: { readonly name: string; readonly message: string };
}
