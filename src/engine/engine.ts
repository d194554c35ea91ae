/**
 * The engine: compiles programs for a device and runs them in a worker thread, so that the caller's event loop stays
 * free. State (parameters, optimiser moments) lives in the worker, on the device, between runs.
 */

import { UserError } from '../base/errors.ts';
import { bytes, copyOf, float32, joined, type NDArray, sharesBuffer, sizeOf, type Tree } from '../base/ndarray.ts';
import { flatten, unflatten } from '../base/tree.ts';
import { ThreadCaller } from '../base/worker-calls.ts';
import type { Program } from '../graph/index.ts';
import type { CompileOptions, Device, Executable, Executor } from './executor.ts';
import { FeedBuffers } from './feeds.ts';
import { type Footprint, footprint, needsOf, type ProgramNeeds } from './memory/footprint.ts';
import { modelOf } from './ort/scheduling.ts';
import { type Partition, partition } from './partition.ts';
import { now } from './profile/profiler.ts';
import { Recorder } from './profile/recorder.ts';
import {
  type Arrays,
  type EngineCalls,
  type EngineOptions,
  MOST_THREADS,
  type StateTensor,
  type Transfers,
  type WorkerOptions,
} from './protocol.ts';
import { StateCopies } from './state-copies.ts';
import { isState, STATE, statePath } from './state-paths.ts';
import { startEngineThread } from './thread-host.ts';

export type { CompileOptions, Device, Executable, Executor } from './executor.ts';
export type { EngineOptions } from './protocol.ts';

/** Bytes of state in one message to or from the worker: all of it would be in memory twice on its way. */
const MESSAGE = 2 ** 22;

/** The names of arrays, in as few messages as their limit allows; a larger array has one to itself. */
function messagesOf(arrays: Readonly<Record<string, Pick<NDArray, 'dtype' | 'shape'>>>): string[][] {
  const messages: string[][] = [];
  let room = 0;
  for (const [name, array] of Object.entries(arrays)) {
    const size = bytes(array);
    if (size > room) {
      messages.push([]);
      room = MESSAGE;
    }
    messages.at(-1)!.push(name);
    room -= size;
  }
  return messages;
}

/** Runs programs in a worker thread, and holds their state there. Close it when it is not needed any more. */
export class Engine implements Executor {
  private readonly copies = new StateCopies((program, name) => this.compile(program, { name }));
  /** What each program needs in memory, until it is released. */
  private readonly needs = new Map<number, ProgramNeeds>();
  private readonly feeds = new FeedBuffers();
  private programs = 0;

  private constructor(
    private readonly worker: ThreadCaller<EngineCalls>,
    readonly device: Device,
    private readonly recorder: Recorder | undefined,
  ) {}

  private static started = false;
  /** Whether this process has loaded ONNX Runtime before: an engine that follows needs less memory. */
  static get hasStarted(): boolean {
    return Engine.started;
  }

  /**
   * Start a worker for a device. One engine may hold many programs; they share its state. It keeps the process alive
   * only while it computes.
   * @throws UserError for a number of threads that no machine has.
   */
  static start(options: EngineOptions = {}): Engine {
    const { profiler, ...rest } = options;
    const { threads = 0 } = rest;
    if (!(Number.isSafeInteger(threads) && threads >= 0 && threads <= MOST_THREADS))
      throw new UserError(`threads is ${threads}: give a whole number from 0, one for each core, to ${MOST_THREADS}`);
    Engine.started = true;
    const recorder = profiler && new Recorder(profiler);
    const workerOptions: WorkerOptions = { ...rest, profile: recorder?.prefix };
    const label = 'The engine';
    const thread = startEngineThread({ file: 'clip-vqdiffusion/workers/engine', label, options: workerOptions });
    return new Engine(new ThreadCaller<EngineCalls>(thread, label), options.device ?? 'cpu', recorder);
  }

  /**
   * Turn a traced program into something that runs. One long-lived session a program: compiling again and again leaks.
   * @throws UserError if there is no such device here, or not enough memory.
   */
  async compile(program: Program, options: CompileOptions = {}): Promise<Executable> {
    const id = this.programs++;
    const name = options.name ?? `program ${id}`;
    const { core, update, whole }: Partition = partition(program, this.device, options);
    const needs = needsOf(program, core, options);
    this.needs.set(id, needs);
    if (whole) await this.worker.call('fuse', { program: id, plan: whole });
    else {
      const { model, outputs } = modelOf(core, this.device);
      const inputs = Object.keys(core.inputs);
      const { inPlace = false } = options;
      const request = { program: id, name, model, inputs, outputs, inPlace, arena: needs.arena, update };
      await this.worker.call('compile', request, [model.buffer as ArrayBuffer]);
    }
    const fed = new Map(Object.entries(program.inputs).filter(([name]) => !isState(name)));
    return {
      run: async (tree) => {
        const called = now();
        if (!this.needs.has(id)) throw new Error(`${name} was released: it cannot run any more`);
        const feeds = flatten(tree);
        for (const [name, spec] of fed) {
          const given = feeds[name];
          if (!given) throw new Error(`The program's input ${name} was not fed`);
          if (given.dtype !== spec.dtype || given.shape.join() !== spec.shape.join())
            throw new Error(
              `Input ${name} is ${given.dtype} [${given.shape}]; it was traced as ${spec.dtype} [${spec.shape}]`,
            );
        }
        const unknown = Object.keys(feeds).find((name) => !fed.has(name));
        if (unknown !== undefined) throw new Error(`The program has no input ${unknown}`);
        const packed = this.feeds.pack(feeds);
        const request = { program: id, feeds: packed.arrays };
        const { arrays, ran, feeds: buffers } = await this.worker.call('run', request, packed.buffers);
        this.feeds.takeBack(buffers);
        this.recorder?.run(id, name, called, ran);
        return arrays;
      },
      release: async () => {
        this.needs.delete(id);
        await this.worker.call('release', { program: id });
      },
    };
  }

  /** Do something that a profile should show under a name. */
  async span<T>(name: string, task: () => Promise<T>): Promise<T> {
    const start = now();
    try {
      return await task();
    } finally {
      this.recorder?.span(name, start);
    }
  }

  /** What the programs compiled so far need in memory, read off their graphs; counted for the CPU. */
  footprint(): Footprint {
    return footprint([...this.needs.values()]);
  }

  /** Put arrays into the state, under the paths a program reads them by: `load({ params })` feeds `state.params…`. */
  async load(state: Tree<NDArray>): Promise<void> {
    const arrays = flatten<NDArray>({ [STATE]: state });
    // Each copied by itself: no two names can end up with the same memory.
    for (const names of messagesOf(arrays))
      await this.put(Object.fromEntries(names.map((name) => [name, copyOf(arrays[name]!)])));
  }

  /**
   * `load` for arrays that the caller no longer needs: they are handed over instead of copied, and empty afterwards.
   * @throws Error if one does not have a buffer to itself.
   */
  async give(state: Tree<NDArray>): Promise<void> {
    const arrays = flatten<NDArray>({ [STATE]: state });
    const sharing = Object.keys(arrays).find((name) => sharesBuffer(arrays[name]!));
    if (sharing !== undefined) throw new Error(`${sharing} shares its buffer: it cannot be handed over`);
    await this.put(arrays);
  }

  /**
   * Move a part of the state onto the device, for programs that read it again and again and do not replace it: what was
   * only loaded is fed from the host at every run. On the CPU there is nothing to do.
   */
  async upload(path: string): Promise<void> {
    if (this.device === 'cpu') return;
    await this.copies.upload(await this.tensorsUnder(statePath(path)));
  }

  /** Copy a part of the state back to the host; all of it under the empty path. */
  async read(path: string): Promise<Tree<NDArray>> {
    const prefix = statePath(path);
    const tensors = await this.tensorsUnder(prefix);
    const onHost = Object.values(tensors).every(({ location }) => location === 'cpu');
    const arrays = onHost ? await this.copy(tensors) : await this.copies.fetch(tensors);
    return unflatten(
      Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name.slice(prefix.length + 1), array])),
    );
  }

  /**
   * Float32 arrays of the state one after another, as one array; paths from the root of the state. Ranks add up their
   * gradients in a few such pieces.
   */
  async pack(paths: readonly string[]): Promise<Float32Array> {
    if (this.device === 'cpu') return this.worker.call('pack', { names: paths.map(statePath) });
    const fetched = await this.copies.fetch(await this.tensorsAt(paths));
    return joined(paths.map((path) => fetched[statePath(path)]!.data as Float32Array));
  }

  /** The inverse of `pack`: `data` is handed over, and empty afterwards. */
  async unpack(paths: readonly string[], data: Float32Array): Promise<void> {
    if (this.device === 'cpu') {
      await this.worker.call('unpack', { names: paths.map(statePath), data }, [data.buffer as ArrayBuffer]);
      return;
    }
    const tensors = await this.tensorsAt(paths);
    let at = 0;
    for (const path of paths) {
      const { shape } = tensors[statePath(path)]!;
      const length = sizeOf(shape);
      await this.put({ [statePath(path)]: float32(data.slice(at, at + length), shape) });
      at += length;
    }
  }

  /** Forget a part of the state; all of it under the empty path. */
  async drop(path: string): Promise<void> {
    await this.worker.call('drop', { prefix: statePath(path) });
  }

  /** What the state holds under a path, by dotted path from the root of the state, without fetching it. */
  async describe(path: string): Promise<Readonly<Record<string, StateTensor>>> {
    const tensors = Object.entries(await this.tensorsUnder(statePath(path)));
    return Object.fromEntries(tensors.map(([name, tensor]) => [name.slice(STATE.length + 1), tensor]));
  }

  /** What programs have moved between host and device since the last call; on the CPU nothing moves. */
  transfers(): Promise<Transfers> {
    return this.worker.call('transfers', {});
  }

  /**
   * Reject what is under way and end the worker. It is left to finish the operation it is in (`base/worker-calls.ts`).
   */
  async close(): Promise<void> {
    if (this.worker.isOpen && this.recorder) {
      const { recorder } = this;
      await this.worker.call('endProfiles', {}).then(
        () => recorder.collect(),
        () => {},
      );
    }
    await this.worker.close('reject');
  }

  /** `close`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** State that lies on the host. */
  private async copy(tensors: Readonly<Record<string, StateTensor>>): Promise<Arrays> {
    const arrays: Record<string, NDArray> = {};
    for (const names of messagesOf(tensors)) Object.assign(arrays, await this.worker.call('read', { names }));
    return arrays;
  }

  /** Hand arrays over, by full path. */
  private put(arrays: Arrays): Promise<void> {
    return this.worker.call(
      'load',
      { arrays },
      Object.values(arrays).map(({ data }) => data.buffer as ArrayBuffer),
    );
  }

  private async tensorsAt(paths: readonly string[]): Promise<Readonly<Record<string, StateTensor>>> {
    const found = await Promise.all(paths.map((path) => this.tensorsUnder(statePath(path))));
    return Object.assign({}, ...found);
  }

  private tensorsUnder(prefix: string): Promise<Readonly<Record<string, StateTensor>>> {
    return this.worker.call('describe', { prefix });
  }
}
