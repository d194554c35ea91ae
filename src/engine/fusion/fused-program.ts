/** The worker's part of fused programs: makes a plan runnable and runs it on the state. */

import type { FusedLoop, FusedPlan } from './plan.ts';
import { compileLoop, type Loop } from './simd.ts';

export interface FusedProgram {
  /**
   * Run once, in place.
   * @param number the value of a fed scalar, or of state that is one number, by path.
   * @param array the memory of state by path, to be read and overwritten.
   */
  run(number: (path: string) => number, array: (path: string) => Float32Array): void;
}

/** Loops of the same steps are one function, however many parameters they serve. */
const compiled = new Map<string, Loop>();

/** Compile a plan. */
export function loadFused(plan: FusedPlan): FusedProgram {
  const scalars = new Function('x', plan.scalars.source) as (x: readonly number[]) => readonly number[];
  const loops = plan.loops.map((loop) => ({ ...loop, run: loopOf(loop) }));
  return {
    run(number, array) {
      const values = scalars(plan.scalars.inputs.map(number));
      for (const { scalars, arrays, run } of loops)
        run(
          scalars.map((i) => values[i]!),
          arrays.map(array),
        );
      for (const { path, scalar } of plan.results) array(path)[0] = values[scalar]!;
    },
  };
}

function loopOf(loop: FusedLoop): Loop {
  const key = JSON.stringify([loop.steps, loop.stores, loop.arrays.length, loop.scalars.length]);
  const known = compiled.get(key) ?? compileLoop(loop);
  compiled.set(key, known);
  return known;
}
