/**
 * Elementwise programs on the CPU, fused: each group of arrays that belong together is read and written once, by one
 * loop that overwrites what it read (`simd.ts`); single numbers are computed in float64. An optimiser's update takes
 * some twenty operators, each a pass over memory; fused it is one pass, needs no second buffer, and hands nothing back
 * across the border of the runtime.
 */

import type { Program } from '../../graph/index.ts';
import { schedule } from '../../graph/index.ts';
import { isState } from '../state-paths.ts';
import { isFusible, isScalar } from './arithmetic.ts';
import { writeLoops } from './loops.ts';
import type { FusedPlan } from './plan.ts';
import { Scalars } from './scalars.ts';

/** The plan of a program, or undefined if it is not made of float32 arithmetic, element by element, on state. */
export function fuse(program: Program): FusedPlan | undefined {
  const nodes = schedule(program);
  const [inputs, outputs] = [Object.entries(program.inputs), Object.entries(program.outputs)];
  const names = new Map(inputs.map(([path, tensor]) => [tensor, path]));
  if (!nodes.every(isFusible)) return undefined;
  if (!outputs.every(([path]) => isState(path) && path in program.inputs)) return undefined;
  if (!inputs.every(([path, t]) => isScalar(t) || isState(path))) return undefined;

  const scalars = new Scalars(nodes, names);
  const results = outputs.filter(([, t]) => isScalar(t)).map(([path, t]) => ({ path, scalar: scalars.indexOf(t) }));
  const arrays = outputs.filter(([, t]) => !isScalar(t));
  const loops = writeLoops(arrays, names, program, scalars);
  return { scalars: scalars.finish(), results, loops };
}
