/** A task that reports values as it goes, as an iteration over them. */

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/**
 * Starts something that reports values; each report resolves when the next value is wanted, and the signal ends it
 * early.
 */
export type Reporting<T> = (report: (value: T) => Promise<void>, signal: AbortSignal) => Promise<unknown>;

/**
 * Iterates over what a task reports. The task waits at every report until the next value is wanted, so it never runs
 * ahead. Leaving the iteration early aborts the task and waits for its end; a task that fails makes the
 * iteration throw.
 */
export async function* reportsOf<T>(task: Reporting<T>): AsyncGenerator<T, void> {
  const stop = new AbortController();
  const next: { arrived: Deferred<{ readonly value: T } | undefined>; wanted: Deferred<void> } = {
    arrived: deferred(),
    wanted: deferred(),
  };
  const report = (value: T): Promise<void> => {
    next.arrived.resolve({ value });
    return next.wanted.promise;
  };
  const ended = task(report, stop.signal).finally(() => next.arrived.resolve(undefined));
  // A failure is thrown where the iteration gets to it.
  ended.catch(() => {});
  try {
    for (;;) {
      const arrived = await next.arrived.promise;
      if (!arrived) break;
      yield arrived.value;
      const { wanted } = next;
      next.arrived = deferred();
      next.wanted = deferred();
      wanted.resolve();
    }
    await ended;
  } finally {
    stop.abort();
    next.wanted.resolve();
    await ended.catch(() => {});
  }
}
