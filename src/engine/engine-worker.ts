/** The engine's worker: it holds ONNX Runtime's sessions and tensors. */

import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { HandedOver } from '../base/calls.ts';
import { bytes, type NDArray, overBuffer } from '../base/ndarray.ts';
import { serveThread, threadOptions } from '../base/worker-calls.ts';
import type { Spec } from '../graph/index.ts';
import { failureOf } from './failures.ts';
import { type FusedProgram, loadFused } from './fusion/fused-program.ts';
import { HeldState } from './held-state.ts';
import { runInto } from './ort/run-into.ts';
import { ort } from './ort/runtime.ts';
import { now } from './profile/profiler.ts';
import {
  type Arrays,
  type CompileRequest,
  type EngineCalls,
  type OutputSpec,
  PROFILED_RUNS,
  type RunReply,
  type Transfers,
  type WorkerOptions,
} from './protocol.ts';
import { isCut, isState, outputName } from './state-paths.ts';
import { fromTensor, reshaped, toTensor } from './tensors.ts';

interface Session {
  readonly name: string;
  readonly session: InferenceSession;
  readonly stateInputs: readonly string[];
  readonly outputs: Readonly<Record<string, OutputSpec>>;
  readonly inPlace: boolean;
  /** The end of the program, if that is fused, and memory for what it reads of the rest. */
  readonly update: FusedProgram | undefined;
  readonly cuts: Map<string, Tensor>;
  /** Runs that are still to be profiled. */
  profiled: number;
}

const { device = 'cpu', threads = 0, spin = false, profile } = threadOptions<WorkerOptions>();
const onDevice = device !== 'cpu';
// What goes wrong is thrown; printed as well it would be reported twice.
ort.env.logLevel = 'fatal';
const programs = new Map<number, Session>();
const fusedPrograms = new Map<number, FusedProgram>();
const state = new HeldState(onDevice);
/** Sessions that are being released. */
const leaving = new Set<InferenceSession>();

async function compile(request: CompileRequest): Promise<void> {
  const stateOutputs = Object.keys(request.outputs).filter(isState);
  const create = ort.InferenceSession.create(request.model, {
    executionProviders: [device],
    intraOpNumThreads: threads,
    // Fused operators of the higher levels have crashed the WebGPU provider; see docs/decisions.md.
    graphOptimizationLevel: device === 'webgpu' ? 'basic' : 'all',
    logSeverityLevel: 4,
    // Subnormal numbers can slow a training run fivefold.
    extra: { session: { set_denormal_as_zero: '1', intra_op: waiting } },
    // Without it, what an operator has used goes back to the system at once, not into a pool: for models that just fit.
    enableCpuMemArena: request.arena,
    // One block for all that a run will need takes a third more memory and no less time (docs/performance.md).
    enableMemPattern: false,
    ...(profile !== undefined && { enableProfiling: true, profileFilePrefix: `${profile}${request.program}` }),
    ...(onDevice && {
      preferredOutputLocation: Object.fromEntries(
        stateOutputs.map((name) => [outputName(name), 'gpu-buffer' as const]),
      ),
    }),
  });
  const { name, outputs, inPlace } = request;
  const session = await create.catch((error: unknown) => {
    throw failureOf(error, device, `compile ${name}`);
  });
  const update = request.update && loadFused(request.update);
  const stateInputs = request.inputs.filter(isState);
  const profiled = profile === undefined ? 0 : PROFILED_RUNS;
  programs.set(request.program, { name, session, stateInputs, outputs, inPlace, update, cuts: new Map(), profiled });
}

/** Gives back what a program holds, its arena included: as soon as none of the state lies in it. */
function release(id: number): void {
  const program = programs.get(id);
  programs.delete(id);
  fusedPrograms.delete(id);
  if (!program) return;
  if (program.profiled > 0) program.session.endProfiling();
  leaving.add(program.session);
}

async function releaseEmpty(): Promise<void> {
  for (const session of leaving) {
    if (state.liesIn(session)) continue;
    leaving.delete(session);
    await session.release();
  }
}

/**
 * Threads that sleep between two operators take longer to wake than a small operator takes. They spin for as long as
 * the next one is usually away, and no longer: on a busy machine that would take the time from others
 * (docs/performance.md).
 */
const waiting = { allow_spinning: '1', ...(!spin && { spin_duration_us: '20' }) };

async function run(id: number, feeds: Arrays): Promise<Omit<RunReply, 'feeds'>> {
  const fused = fusedPrograms.get(id);
  if (fused) {
    const begun = now();
    runFused(fused, feeds);
    return { arrays: {}, ran: { begun, ended: begun, updated: now() } };
  }
  const program = programs.get(id)!;
  const { session, stateInputs, update, cuts } = program;
  const inputs: Record<string, Tensor> = {};
  for (const [name, array] of Object.entries(feeds)) inputs[name] = toTensor(array);
  for (const name of stateInputs) inputs[name] = state.at(name);
  for (const [name, tensor] of Object.entries(inputs)) crossed(isState(name) ? 'stateIn' : 'feeds', tensor);
  const begun = now();
  const running = onDevice ? runOnDevice(program, inputs) : runOnCpu(program, inputs);
  const results = await running.catch((error: unknown) => {
    throw failureOf(error, device, `run ${program.name}`);
  });
  const ended = now();
  if (program.profiled > 0 && --program.profiled === 0) session.endProfiling();
  const arrays: Record<string, NDArray> = {};
  for (const [name, result] of Object.entries(results)) {
    crossed(isState(name) ? 'stateOut' : 'results', result);
    if (isState(name)) state.replace(name, result, session);
    else if (!isCut(name)) arrays[name] = fromTensor(result);
  }
  if (update) runFused(update, {}, cuts);
  return { arrays, ran: { begun, ended, updated: now() } };
}

const noTransfers = (): Record<keyof Transfers, { tensors: number; bytes: number }> => ({
  feeds: { tensors: 0, bytes: 0 },
  stateIn: { tensors: 0, bytes: 0 },
  results: { tensors: 0, bytes: 0 },
  stateOut: { tensors: 0, bytes: 0 },
});
let transfers = noTransfers();

/** Counts a tensor where it lies on the host; on the CPU nothing crosses, and nothing is counted. */
function crossed(kind: keyof Transfers, tensor: Tensor): void {
  if (!onDevice || tensor.location !== 'cpu') return;
  transfers[kind].tensors++;
  transfers[kind].bytes += fromTensor(tensor).data.byteLength;
}

function takeTransfers(): Transfers {
  const taken = transfers;
  transfers = noTransfers();
  return taken;
}

function endProfiles(): void {
  for (const program of programs.values()) {
    if (program.profiled > 0) program.session.endProfiling();
    program.profiled = 0;
  }
}

function runFused(fused: FusedProgram, feeds: Arrays, cuts?: Map<string, Tensor>): void {
  const array = (path: string) => (cuts?.get(path) ?? state.at(path)).data as Float32Array;
  fused.run((path) => (feeds[path] ? Number(feeds[path].data[0]) : array(path)[0]!), array);
}

type Tensors = Readonly<Record<string, Tensor>>;

/** New state stays on the device; everything else comes to the host. */
async function runOnDevice({ session, outputs }: Session, inputs: Tensors): Promise<Tensors> {
  const results = await session.run(inputs);
  return Object.fromEntries(Object.keys(outputs).map((name) => [name, results[outputName(name)] as Tensor]));
}

/** Everything is written into buffers of ours: `bufferFor` says which. */
async function runOnCpu(program: Session, inputs: Tensors): Promise<Tensors> {
  const buffers: Record<string, Tensor> = {};
  const fetches: Record<string, Tensor> = {};
  for (const [name, spec] of Object.entries(program.outputs)) {
    const buffer = bufferFor(program, name, spec);
    buffers[name] = buffer;
    fetches[outputName(name)] = spec.computed ? reshaped(buffer, spec.computed) : buffer;
  }
  await runInto(program.session, inputs, fetches);
  return buffers;
}

/**
 * For new state memory that state had; for what the fused update reads always the same; for what the caller gets new
 * memory.
 */
function bufferFor({ inPlace, cuts }: Session, name: string, spec: Spec): Tensor {
  const known = isCut(name) ? cuts.get(name) : isState(name) ? state.memoryFor(name, inPlace) : undefined;
  if (known) return known;
  const blank = blankOf(spec);
  if (isCut(name)) cuts.set(name, blank);
  return blank;
}

const blankOf = (spec: Spec): Tensor => toTensor(overBuffer(new ArrayBuffer(bytes(spec)), spec));

const buffersOf = (arrays: Arrays): ArrayBuffer[] =>
  Object.values(arrays).map(({ data }) => data.buffer as ArrayBuffer);

// One at a time: ONNX Runtime blocks this thread anyway, and state must not change under a run.
serveThread<EngineCalls>({
  compile,
  fuse({ program, plan }) {
    fusedPrograms.set(program, loadFused(plan));
  },
  async release({ program }) {
    release(program);
    await releaseEmpty();
  },
  async run({ program, feeds }) {
    const reply = { ...(await run(program, feeds)), feeds: buffersOf(feeds) };
    await releaseEmpty();
    // The buffers of feeds, and those of results, which on the CPU were made for the caller.
    return new HandedOver(reply, [...reply.feeds, ...(onDevice ? [] : buffersOf(reply.arrays))]);
  },
  load({ arrays }) {
    for (const [name, array] of Object.entries(arrays)) state.load(name, array);
    return releaseEmpty();
  },
  read: ({ names }) => state.read(names),
  pack({ names }) {
    const all = state.pack(names);
    return new HandedOver(all, [all.buffer]);
  },
  unpack: ({ names, data }) => state.unpack(names, data),
  drop({ prefix }) {
    state.drop(prefix);
    return releaseEmpty();
  },
  describe: ({ prefix }) => state.describe(prefix),
  transfers: takeTransfers,
  endProfiles,
});
