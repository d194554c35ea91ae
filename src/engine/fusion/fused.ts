/** The worker's part of fused programs: makes a plan runnable and runs it on the state, large ones on several threads. */

import type { FusedLoop, FusedPlan } from './fuse.ts';
import { compileLoop, type Loop } from './simd.ts';
import type { Helpers } from './update-threads.ts';

/** Where the arrays of a program lie. */
export interface Memory {
  /** By path, to be read and overwritten. */
  array(path: string): Float32Array;
  /** What `array` gave went to another thread, and has come back as this. */
  moved(path: string, array: Float32Array): void;
}

export interface FusedProgram {
  /**
   * Run once, in place.
   * @param number the value of a fed scalar, or of state that is one number.
   */
  run(number: (path: string) => number, memory: Memory): Promise<void>;
}

/** Loops of the same steps are one function, however many parameters they serve. */
const compiled = new Map<string, Loop>();

export function loadFused(plan: FusedPlan, helpers: Helpers): FusedProgram {
  const scalars = new Function('x', plan.scalars.source) as (x: readonly number[]) => readonly number[];
  const [own, ...others] = shared(plan.loops, helpers.size);
  const loops = own!.map((loop) => ({ ...loop, run: loopOf(loop) }));
  const shares = others.map((share, i) => ({ share, help: helpers.helper(i, share) }));
  return {
    async run(number, memory) {
      const values = scalars(plan.scalars.inputs.map(number));
      const valuesOf = (loop: FusedLoop) => loop.scalars.map((i) => values[i]!);
      const arraysOf = (loop: FusedLoop) => loop.arrays.map(memory.array);
      const helped = shares.map(async ({ share, help }) => {
        const arrays = await help(share.map(valuesOf), share.map(arraysOf));
        share.forEach((loop, i) => {
          loop.arrays.forEach((path, j) => {
            memory.moved(path, arrays[i]![j]!);
          });
        });
      });
      for (const loop of loops) loop.run(valuesOf(loop), arraysOf(loop));
      await Promise.all(helped);
      for (const { path, scalar } of plan.results) memory.array(path)[0] = values[scalar]!;
    },
  };
}

/** Numbers that a thread goes through while a message is on its way to another and back: loops of fewer stay where they are. */
const WORTH_A_MESSAGE = 2 ** 16;

/** Loops in parts that take about as long: one for the thread itself, the others for helpers; none is empty but the first. */
function shared(loops: readonly FusedLoop[], helpers: number): FusedLoop[][] {
  const shares = Array.from({ length: helpers + 1 }, () => ({ loops: [] as FusedLoop[], work: 0 }));
  const workOf = (loop: FusedLoop) => loop.size * loop.arrays.length;
  for (const loop of loops.toSorted((a, b) => workOf(b) - workOf(a))) {
    const least = shares.reduce((a, b) => (b.work < a.work ? b : a));
    const share = workOf(loop) < WORTH_A_MESSAGE ? shares[0]! : least;
    share.loops.push(loop);
    share.work += workOf(loop);
  }
  return shares.filter((share, i) => i === 0 || share.loops.length > 0).map((share) => share.loops);
}

export function loopOf(loop: FusedLoop): Loop {
  const key = JSON.stringify([loop.steps, loop.stores, loop.arrays.length, loop.scalars.length]);
  const known = compiled.get(key) ?? compileLoop(loop);
  compiled.set(key, known);
  return known;
}
