/** The engine's worker: the only file that knows ONNX Runtime's sessions and tensors. */

import { availableParallelism } from 'node:os';
import { workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';
import { messageOf } from '../base/errors.ts';
import { type NDArray, overBuffer } from '../base/ndarray.ts';
import { bytes, type Spec } from '../graph/index.ts';
import { isCut } from './fusion/fuse.ts';
import { type FusedProgram, loadFused } from './fusion/fused.ts';
import { UpdateThreads } from './fusion/update-threads.ts';
import { HeldState } from './held-state.ts';
import type { ThreadData } from './launcher-protocol.ts';
import { now } from './profile/profiler.ts';
import {
  type Answer,
  type Arrays,
  type Call,
  isState,
  type OutputSpec,
  outputName,
  PROFILED_RUNS,
  type Request,
  type RunTimes,
  type Transfers,
  type WorkerOptions,
} from './protocol.ts';
import { runInto } from './run-into.ts';
import { fromTensor, reshaped, toTensor, withData } from './tensors.ts';

interface Session {
  readonly session: ort.InferenceSession;
  readonly stateInputs: readonly string[];
  readonly outputs: Readonly<Record<string, OutputSpec>>;
  readonly inPlace: boolean;
  /** The end of the program, if that is fused, and memory for what it reads of the rest. */
  readonly update: FusedProgram | undefined;
  readonly cuts: Map<string, ort.Tensor>;
  /** Runs that are still to be profiled. */
  profiled: number;
}

const { device = 'cpu', threads = 0, spin = false, profile, port } = workerData as ThreadData<WorkerOptions>;
const onDevice = device !== 'cpu';
const programs = new Map<number, Session>();
const fusedPrograms = new Map<number, FusedProgram>();
const state = new HeldState(onDevice);
const updateThreads = new UpdateThreads(threads === 0 ? availableParallelism() : threads);
/** Sessions that were given back. */
const leaving = new Set<ort.InferenceSession>();

async function compile(request: Extract<Request, { kind: 'compile' }>): Promise<void> {
  const stateOutputs = Object.keys(request.outputs).filter(isState);
  const session = await ort.InferenceSession.create(request.model, {
    executionProviders: [device],
    intraOpNumThreads: threads,
    // Fused operators of the higher levels have crashed the WebGPU provider; see docs/decisions.md.
    graphOptimizationLevel: device === 'webgpu' ? 'basic' : 'all',
    // Subnormal numbers can slow a training run fivefold. This is for the session's own threads; this thread inherits it.
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
  const { outputs, inPlace } = request;
  const update = request.update && loadFused(request.update, updateThreads);
  const stateInputs = request.inputs.filter(isState);
  const profiled = profile === undefined ? 0 : PROFILED_RUNS;
  programs.set(request.program, { session, stateInputs, outputs, inPlace, update, cuts: new Map(), profiled });
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
 * Threads that sleep between two operators take longer to wake than a small operator takes. They spin for as long as the next one is
 * usually away, and no longer: on a busy machine that would take the time from others (docs/performance.md).
 */
const waiting = { allow_spinning: '1', ...(!spin && { spin_duration_us: '20' }) };

interface RunResult {
  readonly arrays: Arrays;
  readonly ran: RunTimes;
}

async function run({ program: id, feeds }: Extract<Request, { kind: 'run' }>): Promise<RunResult> {
  const fused = fusedPrograms.get(id);
  if (fused) {
    const begun = now();
    await runFused(fused, feeds);
    return { arrays: {}, ran: { begun, ended: begun, updated: now() } };
  }
  const program = programs.get(id)!;
  const { session, stateInputs, update, cuts } = program;
  const inputs: Record<string, ort.Tensor> = {};
  for (const [name, array] of Object.entries(feeds)) inputs[name] = toTensor(array);
  for (const name of stateInputs) inputs[name] = state.at(name);
  for (const [name, tensor] of Object.entries(inputs)) crossed(isState(name) ? 'stateIn' : 'feeds', tensor);
  const begun = now();
  const results = onDevice ? await runOnDevice(program, inputs) : await runOnCpu(program, inputs);
  const ended = now();
  if (program.profiled > 0 && --program.profiled === 0) session.endProfiling();
  const arrays: Record<string, NDArray> = {};
  for (const [name, result] of Object.entries(results)) {
    crossed(isState(name) ? 'stateOut' : 'results', result);
    if (isState(name)) state.replace(name, result, session);
    else if (!isCut(name)) arrays[name] = fromTensor(result);
  }
  if (update) await runFused(update, {}, cuts);
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
function crossed(kind: keyof Transfers, tensor: ort.Tensor): void {
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

async function runFused(fused: FusedProgram, feeds: Arrays, cuts?: Map<string, ort.Tensor>): Promise<void> {
  const array = (path: string) => (cuts?.get(path) ?? state.at(path)).data as Float32Array;
  const moved = (path: string, data: Float32Array) => {
    const cut = cuts?.get(path);
    if (cut) cuts?.set(path, withData(cut, data));
    else state.moved(path, data);
  };
  await fused.run((path) => (feeds[path] ? Number(feeds[path].data[0]) : array(path)[0]!), { array, moved });
}

type Tensors = Readonly<Record<string, ort.Tensor>>;

/** New state stays on the device; everything else comes to the host. */
async function runOnDevice({ session, outputs }: Session, inputs: Tensors): Promise<Tensors> {
  const results = await session.run(inputs);
  return Object.fromEntries(Object.keys(outputs).map((name) => [name, results[outputName(name)] as ort.Tensor]));
}

/** Everything is written into buffers of ours: `bufferFor` says which. */
async function runOnCpu(program: Session, inputs: Tensors): Promise<Tensors> {
  const buffers: Record<string, ort.Tensor> = {};
  const fetches: Record<string, ort.Tensor> = {};
  for (const [name, spec] of Object.entries(program.outputs)) {
    const buffer = bufferFor(program, name, spec);
    buffers[name] = buffer;
    fetches[outputName(name)] = spec.computed ? reshaped(buffer, spec.computed) : buffer;
  }
  await runInto(program.session, inputs, fetches);
  return buffers;
}

/** For new state memory that state had; for what the fused update reads always the same; for what the caller gets new memory. */
function bufferFor({ inPlace, cuts }: Session, name: string, spec: Spec): ort.Tensor {
  const known = isCut(name) ? cuts.get(name) : isState(name) ? state.memoryFor(name, inPlace) : undefined;
  if (known) return known;
  const blank = blankOf(spec);
  if (isCut(name)) cuts.set(name, blank);
  return blank;
}

const blankOf = (spec: Spec): ort.Tensor => toTensor(overBuffer(new ArrayBuffer(bytes(spec)), spec));

async function answer(id: number, request: Request): Promise<Answer> {
  switch (request.kind) {
    case 'compile':
      await compile(request);
      return { id, arrays: {} };
    case 'fuse':
      fusedPrograms.set(request.program, loadFused(request.plan, updateThreads));
      return { id, arrays: {} };
    case 'release':
      release(request.program);
      return { id, arrays: {} };
    case 'run':
      return { id, ...(await run(request)), feeds: buffersOf(request.feeds) };
    case 'load':
      state.load(request.name, request.array);
      return { id, arrays: {} };
    case 'read':
      return { id, arrays: state.read(request.prefix) };
    case 'drop':
      state.drop(request.prefix);
      return { id, arrays: {} };
    case 'describe':
      return { id, state: state.describe(request.prefix) };
    case 'transfers':
      return { id, transfers: takeTransfers() };
    case 'endProfiles':
      endProfiles();
      return { id, arrays: {} };
  }
}

const buffersOf = (arrays: Arrays): ArrayBuffer[] =>
  Object.values(arrays).map(({ data }) => data.buffer as ArrayBuffer);

/** Memory that is handed over instead of copied: the buffers of feeds, and those of results, which on the CPU were made for the caller. */
const handedOver = (answer: Answer): ArrayBuffer[] =>
  'ran' in answer ? [...answer.feeds, ...(onDevice ? [] : buffersOf(answer.arrays))] : [];

async function served(id: number, request: Request): Promise<Answer> {
  try {
    const reply = await answer(id, request);
    await releaseEmpty();
    return reply;
  } catch (error) {
    return { id, error: messageOf(error) };
  }
}

// One at a time: ONNX Runtime blocks this thread anyway, and state must not change under a run.
let queue = Promise.resolve();
port.on('message', ({ id, request }: Call) => {
  queue = queue.then(async () => {
    const reply = await served(id, request);
    port.postMessage(reply, handedOver(reply));
  });
});
