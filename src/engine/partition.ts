/** Which part of a program ONNX Runtime computes, and which part runs as fused loops. */

import type { Program } from '../graph/index.ts';
import type { CompileOptions, Device } from './executor.ts';
import { fuse } from './fusion/fuse.ts';
import type { FusedPlan } from './fusion/plan.ts';
import { splitUpdate } from './fusion/split-update.ts';
import { spelledOut } from './ort/scheduling.ts';
import { isState } from './state-paths.ts';

/** A core for the runtime, with an update behind it if there is one, or nothing but fused loops. */
export interface Partition {
  readonly core: Program;
  readonly update?: FusedPlan;
  /** All of the program; the core computes nothing. */
  readonly whole?: FusedPlan;
}

/**
 * The parts of a program. On the CPU elementwise programs in place run as fused loops, and so do updates of state at
 * the end of others; on other devices the runtime computes all of it.
 */
export function partition(
  program: Program,
  device: Device,
  { inPlace = false, fuse: isFused = true }: CompileOptions,
): Partition {
  const core = spelledOut(program);
  if (device !== 'cpu' || !isFused) return { core };
  const whole = inPlace ? fuse(core) : undefined;
  if (whole) return { core: { inputs: onlyState(program.inputs), outputs: {} }, whole };
  return splitUpdate(core) ?? { core };
}

const onlyState = (inputs: Program['inputs']): Program['inputs'] =>
  Object.fromEntries(Object.entries(inputs).filter(([path]) => isState(path)));
