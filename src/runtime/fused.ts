/** The worker's part of fused programs: turns a plan's text into functions and runs them on the state. */

import type { FusedLoop, FusedPlan } from './fuse.ts';

export interface FusedProgram {
  /**
   * Run once, in place.
   * @param number the value of a fed scalar, or of state that is one number.
   * @param array the memory of state, to be read and overwritten.
   */
  run(number: (path: string) => number, array: (path: string) => Float32Array): void;
}

type Loop = (n: number, ...operands: readonly (number | Float32Array)[]) => void;

/** Loops of the same text are one function, however many parameters they serve. */
const compiled = new Map<string, Loop>();

export function loadFused(plan: FusedPlan): FusedProgram {
  const scalars = new Function('x', plan.scalars.source) as (x: readonly number[]) => readonly number[];
  const loops = plan.loops.map((loop) => ({ ...loop, run: loopOf(loop) }));
  return {
    run(number, array) {
      const values = scalars(plan.scalars.inputs.map(number));
      for (const loop of loops) {
        const arrays = loop.arrays.map(array);
        loop.run(arrays[0]!.length, ...loop.scalars.map((i) => values[i]!), ...arrays);
      }
      for (const { path, scalar } of plan.results) array(path)[0] = values[scalar]!;
    },
  };
}

function loopOf({ source, scalars, arrays }: FusedLoop): Loop {
  const operands = [...scalars.map((_, i) => `s${i}`), ...arrays.map((_, i) => `a${i}`)];
  const key = `${operands}\n${source}`;
  const known = compiled.get(key) ?? (new Function('n', ...operands, source) as Loop);
  compiled.set(key, known);
  return known;
}
