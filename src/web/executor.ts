/**
 * Programs computed by onnxruntime-web: WebAssembly in a browser, a worker or Node, or WebGPU. The page brings the
 * runtime, in whichever build it likes; nothing here imports it.
 */

import { type NDArray, sharesBuffer, type Tree } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import type { Device, Executable, Executor } from '../engine/executor.ts';
import { isState, outputName, STATE, statePath } from '../engine/state-paths.ts';
import { f32, i32, type Program, trace, writeOnnx } from '../graph/index.ts';

/** A tensor of the runtime. */
export interface WebTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

export interface WebSession {
  run(feeds: Readonly<Record<string, WebTensor>>): Promise<Readonly<Record<string, WebTensor>>>;
  release(): Promise<void>;
}

/** What is used of onnxruntime-web: the module itself, as `import * as ort from 'onnxruntime-web/wasm'` gives it. */
export interface WebRuntime {
  readonly Tensor: new (type: NDArray['dtype'], data: NDArray['data'], dims: readonly number[]) => WebTensor;
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: {
        executionProviders: string[];
        graphOptimizationLevel: 'basic';
        preferredOutputLocation?: 'gpu-buffer';
      },
    ): Promise<WebSession>;
  };
}

/**
 * An executor over onnxruntime-web. With the device `cpu`, WebAssembly computes; other names are those of the runtime's
 * execution providers, of which its build must have them. State stays in the page's memory and is fed to every run: the
 * same weights serve any number of programs. On `webgpu` what is uploaded stays on the device instead.
 */
export class WebExecutor implements Executor {
  private readonly state = new Map<string, WebTensor>();
  /** The runtime takes one call at a time. */
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly runtime: WebRuntime,
    readonly device: Device = 'cpu',
  ) {}

  /**
   * Bring the runtime up, which the first program would do otherwise: it is compiled beside this thread, which can read
   * a model meanwhile.
   */
  async start(): Promise<void> {
    const nothing = await this.compile(trace({ x: f32(1) }, (given) => given));
    await nothing.release();
  }

  async compile(program: Program): Promise<Executable> {
    const model = writeOnnx(program, { outputName, narrow: this.device === 'webgpu' });
    const session = await this.alone(() => this.runtime.InferenceSession.create(model, this.options()));
    const inputs = Object.entries(program.inputs);
    const stateInputs = inputs.map(([name]) => name).filter(isState);
    const fed = new Map(inputs.filter(([name]) => !isState(name)));
    return {
      run: (tree) =>
        this.alone(async () => {
          const feeds: Record<string, WebTensor> = {};
          for (const [name, array] of Object.entries(flatten(tree))) feeds[name] = this.tensorOf(array);
          for (const [name, { dtype, shape }] of fed) checkFeed(name, { dtype, shape }, feeds[name]);
          const unknown = Object.keys(feeds).find((name) => !fed.has(name));
          if (unknown !== undefined) throw new Error(`The program has no input ${unknown}`);
          for (const name of stateInputs) feeds[name] = this.held(name);
          const results = await session.run(feeds);
          // Computing in WebAssembly blocks the thread: without a turn here, a cancel would wait until the end.
          await turn();
          return this.sorted(Object.keys(program.outputs), results);
        }),
      release: () => this.alone(() => session.release()),
    };
  }

  async give(state: Tree<NDArray>): Promise<void> {
    for (const [name, array] of Object.entries(flatten({ [STATE]: state }))) {
      if (sharesBuffer(array)) throw new Error(`${name} shares its buffer: it cannot be handed over`);
      this.state.set(name, this.tensorOf(array));
    }
  }

  /**
   * On WebGPU state that is fed from the page's memory would go to the device at every run: a program of copies brings
   * it there once. In WebAssembly there is nothing to do.
   */
  async upload(path: string): Promise<void> {
    if (this.device !== 'webgpu') return;
    const names = [...this.state.keys()].filter((name) => name.startsWith(`${statePath(path)}.`));
    const specs = names.map((name, i) => {
      const { type, dims } = this.held(name);
      return [`${i}`, { dtype: type, shape: dims } as Pick<NDArray, 'dtype' | 'shape'>] as const;
    });
    const inputs = Object.fromEntries(
      specs.map(([i, { dtype, shape }]) => [i, dtype === 'int32' ? i32(...shape) : f32(...shape)]),
    );
    const model = writeOnnx(
      trace(inputs, (given) => given),
      { outputName, narrow: true },
    );
    await this.alone(async () => {
      const options = { ...this.options(), preferredOutputLocation: 'gpu-buffer' as const };
      const session = await this.runtime.InferenceSession.create(model, options);
      const results = await session.run(Object.fromEntries(names.map((name, i) => [`${i}`, this.held(name)])));
      // The session owns what it has returned: it stays.
      for (const [i, name] of names.entries()) this.state.set(name, results[outputName(`${i}`)]!);
    });
  }

  /** Optimizing further takes a fifth of a second a program, in a page that has just begun, and runs no faster. */
  private options() {
    const executionProviders = [this.device === 'cpu' ? 'wasm' : this.device];
    return { executionProviders, graphOptimizationLevel: 'basic' as const };
  }

  /** Puts new state in its place; the rest of a run's results is the caller's. */
  private sorted(names: readonly string[], results: Readonly<Record<string, WebTensor>>): Record<string, NDArray> {
    const arrays: Record<string, NDArray> = {};
    for (const name of names) {
      const tensor = results[outputName(name)]!;
      if (isState(name)) this.state.set(name, tensor);
      else arrays[name] = { dtype: tensor.type, shape: tensor.dims, data: tensor.data } as NDArray;
    }
    return arrays;
  }

  private held(name: string): WebTensor {
    const tensor = this.state.get(name);
    if (!tensor) throw new Error(`The state holds no ${name}: give it before running`);
    return tensor;
  }

  private tensorOf({ dtype, data, shape }: NDArray): WebTensor {
    return new this.runtime.Tensor(dtype, data, shape);
  }

  private alone<T>(task: () => Promise<T>): Promise<T> {
    const result = this.queue.then(task);
    this.queue = result.catch(() => {});
    return result;
  }
}

function checkFeed(
  name: string,
  { dtype, shape }: Pick<NDArray, 'dtype' | 'shape'>,
  tensor: WebTensor | undefined,
): void {
  if (!tensor) throw new Error(`The program's input ${name} was not fed`);
  if (tensor.type !== dtype || tensor.dims.join() !== shape.join())
    throw new Error(`Input ${name} is ${tensor.type} [${tensor.dims}]; it was traced as ${dtype} [${shape}]`);
}

/** Resolves once the event loop has been round: in a page, after what the user has done meanwhile. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(undefined);
  });
}
