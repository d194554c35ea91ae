/** What of a program ONNX Runtime computes, and what runs as fused loops; and the model that the runtime is given. */

import { type Program, type Tensor, writeOnnx } from '../graph/index.ts';
import { type FusedPlan, fuse, splitUpdate } from './fusion/fuse.ts';
import { type CompileOptions, type Device, isState, type OutputSpec, outputName } from './protocol.ts';
import { BARRIER } from './run-into.ts';

/** A program on the CPU: a core for the runtime, with an update behind it if there is one, or nothing but fused loops. */
export interface Division {
  readonly core: Program;
  readonly update?: FusedPlan;
  /** All of the program; the core computes nothing. */
  readonly whole?: FusedPlan;
}

/** How a program is divided on the CPU. Elementwise programs in place run as fused loops, and so do updates of state at the end of others. */
export function divide(program: Program, { inPlace = false, fuse: wanted = true }: CompileOptions): Division {
  if (!wanted) return { core: program };
  const whole = inPlace ? fuse(program) : undefined;
  if (whole) return { core: { inputs: onlyState(program.inputs), outputs: {} }, whole };
  return splitUpdate(program) ?? { core: program };
}

const onlyState = (inputs: Program['inputs']): Program['inputs'] =>
  Object.fromEntries(Object.entries(inputs).filter(([path]) => isState(path)));

/** The model file of a program for a device, and its outputs as whoever compiles that has to know them. */
export function modelOf(
  core: Program,
  device: Device,
): { readonly model: Uint8Array; readonly outputs: Readonly<Record<string, OutputSpec>> } {
  const onCpu = device === 'cpu';
  const written = onCpu ? unshaped(core) : core;
  const specOf = ({ dtype, shape }: Tensor, computed: Tensor): OutputSpec =>
    computed.shape === shape ? { dtype, shape } : { dtype, shape, computed: computed.shape };
  const outputs = Object.entries(core.outputs).map(([name, t]) => [name, specOf(t, written.outputs[name]!)] as const);
  const options = { outputName, narrow: device === 'webgpu', ...(onCpu && { barrier: BARRIER }) };
  return { model: writeOnnx(written, options), outputs: Object.fromEntries(outputs) };
}

/** A program whose outputs are computed in whatever shape they come: a reshape into the memory of an output would be a copy. */
function unshaped({ inputs, outputs }: Program): Program {
  const before = (t: Tensor): Tensor => (t.node.op === 'reshape' ? before(t.node.inputs[0]!) : t);
  return { inputs, outputs: Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name, before(t)])) };
}
