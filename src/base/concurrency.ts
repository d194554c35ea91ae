/** Runs many small asynchronous jobs, a few at a time. */
import { availableParallelism } from 'node:os';

/** Shares an amount (of memory, say) among jobs: one that does not fit beside those under way waits for its turn. */
export class Budget {
  #left: number;
  readonly #waiting: { readonly cost: number; readonly start: () => void }[] = [];

  constructor(private readonly total: number) {
    this.#left = total;
  }

  /** Run `job`, which takes `cost`; one that takes more than there is in all runs alone. */
  async use<T>(cost: number, job: () => Promise<T>): Promise<T> {
    const share = Math.min(Math.max(0, cost), this.total);
    if (this.#waiting.length > 0 || share > this.#left)
      await new Promise<void>((start) => this.#waiting.push({ cost: share, start }));
    else this.#left -= share;
    try {
      return await job();
    } finally {
      this.#left += share;
      this.#startWaiting();
    }
  }

  #startWaiting(): void {
    for (let next = this.#waiting[0]; next && next.cost <= this.#left; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#left -= next.cost;
      next.start();
    }
  }
}

/**
 * Calls `job(0)` … `job(count − 1)` with at most `limit` in flight and returns their results in order.
 * The first failure, or the signal's abort, stops new jobs from starting and is what the promise rejects with.
 */
export async function mapConcurrently<T>(
  count: number,
  signal: AbortSignal | undefined,
  job: (index: number) => Promise<T>,
  limit: number = Math.max(2, availableParallelism()),
): Promise<T[]> {
  const results: T[] = new Array(count);
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < count && !failed) {
      const index = next++;
      try {
        signal?.throwIfAborted();
        results[index] = await job(index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, count) }, worker));
  return results;
}
