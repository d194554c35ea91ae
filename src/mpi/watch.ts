/**
 * Who is still there: every rank sends a sign of life to rank 0 each second, and rank 0 one to every rank. A rank that
 * is silent for too long has died, hangs, or has lost its network; one that keeps the others waiting in a collective
 * call for much longer hangs in its work.
 */

/** A sign of life, with how many collective calls the rank has made so far. */
export interface Beat {
  readonly rank: number;
  readonly calls: number;
}

/** As numbers, to be sent. */
export const packBeat = ({ rank, calls }: Beat): Float64Array => Float64Array.of(rank, calls);
export const unpackBeat = ([rank, calls]: Float64Array): Beat => ({ rank: rank!, calls: calls! });
export const BEAT_BYTES = 16;

/** The last sign of a job that ends because of a failure. */
export const lastBeat = (rank: number): Beat => ({ rank, calls: -1 });
export const isLast = ({ calls }: Beat): boolean => calls < 0;

/**
 * A rank may keep the others waiting for so many times as long as it may be silent: it may be writing, or measuring.
 */
const PATIENCE = 30;

/** Seconds that each rank waits longer than the one before it, and at most, before it calls rank 0 lost. */
const [TURN, LAST_TURN] = [2, 4];

/**
 * Seconds without a sign of life after which this rank calls another lost. All ranks miss rank 0 at the same time: they
 * take turns, so that one line names it, and the job has ended before the next would.
 */
export const patienceOf = (rank: number, timeout: number): number =>
  timeout + Math.min(LAST_TURN, TURN * Math.max(0, rank - 1));

export class Watch {
  private readonly heard: Map<number, { at: number; calls: number }>;

  /**
   * @param peers the ranks whose signs of life this one receives.
   * @param limit seconds without a sign of life after which a rank counts as lost.
   * @param now seconds.
   */
  constructor(
    private readonly peers: readonly number[],
    private readonly limit: number,
    now: number,
  ) {
    this.heard = new Map(peers.map((rank) => [rank, { at: now, calls: 0 }]));
  }

  beat({ rank, calls }: Beat, now: number): void {
    if (this.heard.has(rank)) this.heard.set(rank, { at: now, calls });
  }

  /**
   * What is wrong at a time, if anything.
   * @param calls collective calls of this rank, and since when it waits in the last one.
   */
  fault(
    now: number,
    calls: number,
    waitingSince: number | undefined,
  ): { readonly rank: number; readonly what: string } | undefined {
    for (const rank of this.peers) {
      const heard = this.heard.get(rank)!;
      if (now - heard.at > this.limit)
        return {
          rank,
          what: `has not answered for ${Math.round(now - heard.at)} s: it has died, hangs or has lost its network`,
        };
      const waited = waitingSince === undefined ? 0 : now - waitingSince;
      if (waited > PATIENCE * this.limit && heard.calls < calls)
        return { rank, what: `keeps the others waiting for ${Math.round(waited)} s: it hangs` };
    }
    return undefined;
  }
}
