/**
 * Everything that is as it is because of how ONNX Runtime schedules a graph and holds its values. Programs (`graph/`)
 * say what is computed; this folder decides what the runtime is given so that it computes it fast and in little memory.
 * Another runtime would need none of it. What is known here of onnxruntime 1.30, on the CPU:
 *
 * 1. It decides before it runs. The order of execution is fixed when a session is made: it begins with the nodes that
 *    nothing reads, the last of the file first, and goes depth first through the latest operand of each (`order.ts`).
 *    It computes a value when something after it needs it in that order, not when it could be released again. Three
 *    things follow:
 *    - *Order of nodes.* What nothing reads, the results, stands at the end of the file, the first of it last
 *      (`fileOrder`). So the gradient of a weight is computed when the backward pass comes by, and what it is made from
 *      does not wait for the end of the pass.
 *    - *`after`.* A value that is made of weights alone could be computed at any time, and is computed early:
 *      Winograd's transformed weights of all layers, four times the weights, would be there at once. Programs say
 *      `after(x, first)`, and here that becomes x with a zero added that is made of an element of `first` (`zeros.ts`):
 *      a dependence that no optimisation of the runtime removes.
 *    - *Estimates of memory.* Values of one shape share a buffer, which is held from its first value to its last, also
 *      in between (`buffers.ts`). Plain liveness came out up to 42 % below what was measured.
 *
 * 2. Outputs are written into buffers that we give, and then copied. Sessions on the CPU write into buffers of ours:
 *    state that is replaced goes into the buffer of the state before last. But the binding for Node copies every output
 *    once more on its way out; for gradients that copy takes as much memory as the weights. Two things follow:
 *    - *A barrier.* The first output of a program is an empty sequence. All outputs are written before the first is
 *      handed over, and the binding, which can convert nothing but tensors, fails at the sequence and so copies nothing
 *      (`run-into.ts`).
 *    - *No reshape at the end.* A value under another shape is the same memory inside a graph; as an output it would be
 *      a copy into the output's buffer. So outputs are computed in whatever shape they come, and looked at in the shape
 *      that was traced (`unshaped`).
 *
 * 3. It is built for graphs, not for loops over memory. An optimiser's update takes some twenty operators, each a pass
 *    over memory: `fusion/` cuts it off and runs it as one loop.
 *
 * What was measured of each stands in docs/performance.md. When the pinned version of onnxruntime-node changes, this is
 * the page to go through again.
 */

import { type Program, type Tensor, writeOnnx } from '../../graph/index.ts';
import type { Device } from '../executor.ts';
import type { OutputSpec } from '../protocol.ts';
import { outputName } from '../state-paths.ts';
import { fileOrder } from './order.ts';
import { BARRIER } from './run-into.ts';

export { bufferPeak } from './buffers.ts';
export { runInto } from './run-into.ts';
export { spelledOut } from './zeros.ts';

/** The model file of a program for a device, and its outputs as the compiler of that file needs them. */
export function modelOf(
  core: Program,
  device: Device,
): { readonly model: Uint8Array; readonly outputs: Readonly<Record<string, OutputSpec>> } {
  const onCpu = device === 'cpu';
  const written = onCpu ? unshaped(core) : core;
  const specOf = ({ dtype, shape }: Tensor, computed: Tensor): OutputSpec =>
    computed.shape === shape ? { dtype, shape } : { dtype, shape, computed: computed.shape };
  const outputs = Object.entries(core.outputs).map(([name, t]) => [name, specOf(t, written.outputs[name]!)] as const);
  const options = {
    outputName,
    order: fileOrder,
    narrow: device === 'webgpu',
    ...(onCpu && { emptySequence: BARRIER }),
  };
  return { model: writeOnnx(written, options), outputs: Object.fromEntries(outputs) };
}

/**
 * A program whose outputs are computed in whatever shape they come: a reshape into the memory of an output would be a
 * copy.
 */
function unshaped({ inputs, outputs }: Program): Program {
  const before = (t: Tensor): Tensor => (t.node.op === 'reshape' ? before(t.node.inputs[0]!) : t);
  return { inputs, outputs: Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name, before(t)])) };
}
