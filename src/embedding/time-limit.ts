/** Ends a computation of this thread that does not end by itself. */

import vm from 'node:vm';

const call = new vm.Script('job()');

/**
 * What a synchronous `job` returns. V8 ends it when its time is up, in the middle of a regular expression too.
 * @throws the error that `onTimeout` makes, if it takes longer than `milliseconds`.
 */
export function within<T>(milliseconds: number, job: () => T, onTimeout: () => Error): T {
  let outcome: { readonly value: T } | undefined;
  const run = () => {
    outcome = { value: job() };
  };
  try {
    call.runInContext(vm.createContext({ job: run }), { timeout: milliseconds });
  } catch (error) {
    throw codeOf(error) === 'ERR_SCRIPT_EXECUTION_TIMEOUT' ? onTimeout() : error;
  }
  return outcome!.value;
}

// The error may come from the other context, whose `Error` is another one.
const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
