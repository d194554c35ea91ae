/** What processes that work together need of each other. Types, and the one process that works alone. */

/** The processes of a job, each with its number, as one of them sees it. Calls are collective: every rank makes them. */
export interface Ranks {
  /** This process, 0 to size − 1. */
  readonly rank: number;
  readonly size: number;
  /** Adds up an array over all ranks, in place: the result is the same on all of them, bit for bit. */
  sum(data: Float32Array): Promise<void>;
  /** The largest value of each entry over all ranks. */
  max(values: readonly number[]): Promise<number[]>;
  /** What every rank gives, in the order of ranks; lengths may differ. */
  gather(bytes: Uint8Array): Promise<Uint8Array[]>;
  /** Overwrites `bytes`, equally many on every rank, with those of rank 0. */
  broadcast(bytes: Uint8Array): Promise<void>;
  /** Every rank has come to here. */
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
  max: async (values) => [...values],
  gather: async (bytes) => [bytes],
  async broadcast() {},
  async barrier() {},
  times: { waiting: 0, communicating: 0 },
};

/** The float32 arrays of all ranks, in the order of ranks. */
export async function gatherFloats(ranks: Ranks, data: Float32Array): Promise<Float32Array[]> {
  const all = await ranks.gather(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return all.map((bytes) => new Float32Array(bytes.slice().buffer));
}

/** A value of rank 0 on every rank; it travels as JSON. */
export async function shared<T>(ranks: Ranks, value: T | undefined): Promise<T> {
  if (ranks.size === 1) return value as T;
  const text = ranks.rank === 0 ? JSON.stringify({ value }) : '';
  const all = await ranks.gather(new TextEncoder().encode(text));
  return (JSON.parse(new TextDecoder().decode(all[0])) as { readonly value: T }).value;
}
