/** Long computations of the host, in steps between which the process can turn to signals, timers and requests. */

import { setImmediate } from 'node:timers/promises';

/** A computation that yields after each of its steps what that has cost, in multiplications. */
export type Steps<Result> = Generator<number, Result, undefined>;

/** The result of a computation, without pauses. */
export function finish<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const next = steps.next();
    if (next.done) return next.value;
  }
}

/** How a computation is carried through. */
export type Carry = <Result>(steps: Steps<Result>) => Promise<Result>;

/** Milliseconds between pauses. */
const STRETCH = 50;

/**
 * A way to carry computations through with pauses, one after another.
 * @param onCost called at each pause with the cost since the last one; it may throw to end the computation.
 */
export function inTurns(onCost: (cost: number) => void = () => {}): Carry {
  return async (steps) => {
    let [cost, paused] = [0, performance.now()];
    for (;;) {
      const next = steps.next();
      if (!next.done) cost += next.value;
      if (next.done || performance.now() - paused > STRETCH) {
        await setImmediate();
        onCost(cost);
        [cost, paused] = [0, performance.now()];
      }
      if (next.done) return next.value;
    }
  };
}
