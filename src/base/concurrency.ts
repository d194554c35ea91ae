/** Runs many small asynchronous jobs, a few at a time. */
import { availableParallelism } from 'node:os';

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
