/**
 * The engine: compiles programs for a device and runs them in a worker thread, so that the caller's event loop stays free.
 * State (parameters, optimiser moments) lives in the worker, on the device, between runs.
 */

import { UserError } from '../base/errors.ts';
import { copyOf, type NDArray, type Tree } from '../base/ndarray.ts';
import { flatten, unflatten } from '../base/tree.ts';
import type { Program } from '../graph/index.ts';
import { FeedBuffers } from './feeds.ts';
import { type Footprint, footprint, needsOf, type ProgramNeeds } from './memory/footprint.ts';
import { NativeThread } from './native-thread.ts';
import { type Division, divide, modelOf } from './partition.ts';
import { now } from './profile/profiler.ts';
import { Recorder } from './profile/recorder.ts';
import {
  type Answer,
  type Arrays,
  type CompileOptions,
  type Device,
  type EngineOptions,
  isState,
  type Request,
  STATE,
  type StateTensor,
  type Transfers,
  type WorkerOptions,
} from './protocol.ts';
import { StateCopies } from './state-copies.ts';

export type { CompileOptions, Device, EngineOptions } from './protocol.ts';

/** A compiled program. */
export interface Executable {
  /**
   * Run once. `feeds` are the inputs outside `state`; the result holds the outputs outside `state`, by dotted path.
   * @throws Error if a feed is missing, unknown, or of another shape or type than traced.
   */
  run(feeds: Tree<NDArray>): Promise<Record<string, NDArray>>;
  /** Give back the memory that the program holds. It cannot run any more. */
  release(): Promise<void>;
}

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export class Engine {
  private readonly pending = new Map<number, Pending>();
  private readonly copies = new StateCopies((program, name) => this.compile(program, { name }));
  /** What each program needs in memory, as long as it is there. */
  private readonly needs = new Map<number, ProgramNeeds>();
  private readonly feeds = new FeedBuffers();
  private calls = 0;
  private programs = 0;
  private failure: Error | undefined;
  /** The last request, whose answer `close` waits for. */
  private closing: { readonly id: number; readonly resolve: () => void } | undefined;

  private readonly worker: NativeThread<Answer>;

  private constructor(
    workerData: WorkerOptions,
    readonly device: Device,
    private readonly recorder: Recorder | undefined,
  ) {
    this.worker = new NativeThread<Answer>('engine', workerData, {
      message: (answer) => this.settle(answer),
      error: (error) => this.fail(error),
      exit: () => {
        this.closing?.resolve();
        this.fail(new Error('The engine was closed'));
      },
    });
  }

  private static started = false;
  /** Whether this process has loaded ONNX Runtime before: an engine that follows needs less memory. */
  static get hasStarted(): boolean {
    return Engine.started;
  }

  /** Start a worker for a device. One engine may hold many programs; they share its state. */
  static start(options: EngineOptions = {}): Engine {
    Engine.started = true;
    const { profiler, ...rest } = options;
    const recorder = profiler && new Recorder(profiler);
    const workerData: WorkerOptions = { ...rest, profile: recorder?.prefix };
    return new Engine(workerData, options.device ?? 'cpu', recorder);
  }

  /** Turn a traced program into something that runs. One long-lived session a program: compiling again and again leaks. */
  async compile(program: Program, options: CompileOptions = {}): Promise<Executable> {
    const id = this.programs++;
    const name = options.name ?? `program ${id}`;
    const { core, update, whole }: Division = this.device === 'cpu' ? divide(program, options) : { core: program };
    const needs = needsOf(program, core, options);
    this.needs.set(id, needs);
    if (whole) await this.call({ kind: 'fuse', program: id, plan: whole });
    else {
      const { model, outputs } = modelOf(core, this.device);
      const inputs = Object.keys(core.inputs);
      const { inPlace = false } = options;
      const request = {
        kind: 'compile',
        program: id,
        model,
        inputs,
        outputs,
        inPlace,
        arena: needs.arena,
        update,
      } as const;
      await this.call(request, [model.buffer as ArrayBuffer]);
    }
    const fed = new Map(Object.entries(program.inputs).filter(([name]) => !isState(name)));
    return {
      run: async (tree) => {
        const asked = now();
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
        const answer = await this.call({ kind: 'run', program: id, feeds: packed.arrays }, packed.buffers);
        if (!('ran' in answer)) throw new Error('The worker did not say that it has run');
        this.feeds.takeBack(answer.feeds);
        this.recorder?.run(id, name, asked, answer.ran);
        return answer.arrays;
      },
      release: async () => {
        this.needs.delete(id);
        await this.call({ kind: 'release', program: id });
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
    // One copy of one array at a time: no two names can end up with the same memory.
    for (const [name, array] of Object.entries(flatten({ [STATE]: state }))) await this.put(name, copyOf(array));
  }

  /**
   * The same for arrays that nobody else needs: they are handed over instead of copied, and empty afterwards.
   * @throws Error if one does not have a buffer to itself.
   */
  async give(state: Tree<NDArray>): Promise<void> {
    for (const [name, array] of Object.entries(flatten({ [STATE]: state }))) {
      if (array.data.byteLength < array.data.buffer.byteLength)
        throw new Error(`${name} shares its buffer: it cannot be handed over`);
      await this.put(name, array);
    }
  }

  /**
   * Move a part of the state onto the device, for programs that read it again and again and do not replace it: what was only
   * loaded is fed from the host at every run. On the CPU there is nothing to do.
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
    const arrays = onHost ? await this.copy(Object.keys(tensors)) : await this.copies.fetch(tensors);
    return unflatten(
      Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name.slice(prefix.length + 1), array])),
    );
  }

  /** Forget a part of the state; all of it under the empty path. */
  async drop(path: string): Promise<void> {
    await this.call({ kind: 'drop', prefix: statePath(path) });
  }

  /** What the state holds under a path, by dotted path from the root of the state, without fetching it. */
  async describe(path: string): Promise<Readonly<Record<string, StateTensor>>> {
    const tensors = Object.entries(await this.tensorsUnder(statePath(path)));
    return Object.fromEntries(tensors.map(([name, tensor]) => [name.slice(STATE.length + 1), tensor]));
  }

  /** Where each state tensor lies: `cpu` or `gpu-buffer`. */
  async locations(): Promise<Readonly<Record<string, string>>> {
    const tensors = await this.tensorsUnder(STATE);
    return Object.fromEntries(Object.entries(tensors).map(([name, { location }]) => [name, location]));
  }

  /** What programs have moved between host and device since the last call; on the CPU nothing moves. */
  async transfers(): Promise<Transfers> {
    const answer = await this.call({ kind: 'transfers' });
    if ('transfers' in answer) return answer.transfers;
    throw new Error('The worker did not say what it has moved');
  }

  /**
   * Reject what is under way and end the worker. It is left to finish the operation it is in: ending a thread inside ONNX
   * Runtime has brought the whole process down.
   */
  async close(): Promise<void> {
    if (!this.failure && this.recorder) {
      const ended = await this.call({ kind: 'endProfiles' }).catch(() => undefined);
      if (ended) this.recorder.collect();
    }
    if (!this.failure) {
      const drained = this.drained();
      this.fail(new Error('The engine was closed'));
      await drained;
    }
    await this.worker.terminate();
  }

  /** State on the host, one array at a time: a message of all of it would be in memory twice on its way. */
  private async copy(names: readonly string[]): Promise<Arrays> {
    const arrays: Record<string, NDArray> = {};
    for (const name of names) Object.assign(arrays, arraysOf(await this.call({ kind: 'read', prefix: name })));
    return arrays;
  }

  private put(name: string, array: NDArray): Promise<Answer> {
    return this.call({ kind: 'load', name, array }, [array.data.buffer as ArrayBuffer]);
  }

  private async tensorsUnder(prefix: string): Promise<Readonly<Record<string, StateTensor>>> {
    const answer = await this.call({ kind: 'describe', prefix });
    return 'state' in answer ? answer.state : {};
  }

  private call(request: Request, transfer: ArrayBuffer[] = []): Promise<Answer> {
    if (this.failure) return Promise.reject(this.failure);
    const id = this.calls++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.worker.postMessage({ id, request }, transfer);
    });
  }

  /** Settles when the worker has answered everything before and this, or is gone. */
  private drained(): Promise<void> {
    return new Promise((resolve) => {
      this.closing = { id: this.calls++, resolve };
      this.worker.postMessage({ id: this.closing.id, request: { kind: 'drop', prefix: STATE } satisfies Request });
    });
  }

  private settle(answer: Answer): void {
    if (answer.id === this.closing?.id) this.closing.resolve();
    const waiting = this.pending.get(answer.id);
    this.pending.delete(answer.id);
    if ('error' in answer) waiting?.reject(failureOf(answer.error));
    else waiting?.resolve(answer);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const waiting of this.pending.values()) waiting.reject(this.failure);
    this.pending.clear();
  }
}

/** What ONNX Runtime says, or what the user can do about it. */
const failureOf = (message: string): Error =>
  /Failed to get a WebGPU adapter/.test(message)
    ? new UserError('No GPU was found for --device webgpu: install a Vulkan driver, or compute with --device cpu')
    : new Error(message);

const statePath = (path: string): string => (path === '' ? STATE : `${STATE}.${path}`);

const arraysOf = (answer: Answer): Record<string, NDArray> => ('arrays' in answer ? answer.arrays : {});
