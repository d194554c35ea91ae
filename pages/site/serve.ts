/** The worker of the page: it loads the model into a runtime, and draws. */

import { messageOf, UserError } from '../../src/base/errors.ts';
import { samplers } from '../../src/diffusion/samplers/index.ts';
import { gridSize, type Recipe, samplingSchema } from '../../src/recipe/schema.ts';
import { WebExecutor, type WebRuntime } from '../../src/web/executor.ts';
import { hintOf } from '../../src/web/hint.ts';
import { PageGenerator } from '../../src/web/page-generator.ts';
import { readPageModel } from '../../src/web/page-model.ts';
import { fromPlanes } from '../../src/web/planes.ts';
import type { Answer, Facts, Field, Request } from './protocol.ts';
import { unpacked } from './unpacked.ts';

/** The part of onnxruntime-web that is set up here. */
interface Runtime extends WebRuntime {
  readonly env: {
    logLevel?: 'verbose' | 'info' | 'warning' | 'error' | 'fatal';
    readonly webgpu?: { readonly device?: PromiseLike<{ readonly lost: Promise<{ readonly message: string }> }> };
    readonly wasm: { numThreads?: number; wasmBinary?: ArrayBufferLike | Uint8Array; wasmPaths?: unknown };
  };
}

interface Scope {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(answer: Answer, transfer: Transferable[]): void;
}

/** Serve a page from this thread, on a runtime and a device of it. */
export function serve(runtime: Runtime, device: 'cpu' | 'webgpu'): void {
  const scope = self as Scope;
  const answer = (message: Answer, transfer: Transferable[] = []) => scope.postMessage(message, transfer);
  let generator: PageGenerator | undefined;
  /** Settles when the programs of a first picture are there, or could not be had: that picture will say why. */
  let prepared: Promise<void> = Promise.resolve();
  const jobs = new Map<number, AbortController>();
  let setUp: (request: Extract<Request, { kind: 'runtime' }>) => void = () => {};
  const started = new Promise<WebExecutor>((resolve, reject) => {
    setUp = (request) => startRuntime(request).then(resolve, reject);
  });
  // The model that waits for it reports what it fails with.
  started.catch(() => {});

  async function startRuntime({ wasm, glue, threads }: Extract<Request, { kind: 'runtime' }>): Promise<WebExecutor> {
    runtime.env.logLevel = 'error';
    runtime.env.wasm.wasmBinary = await unpacked(wasm);
    runtime.env.wasm.numThreads = threads;
    if (glue !== undefined) runtime.env.wasm.wasmPaths = { mjs: glue };
    const executor = new WebExecutor(runtime, device);
    await executor.start();
    const gpu = await runtime.env.webgpu?.device;
    void gpu?.lost.then(({ message }) => answer({ kind: 'lost', message: lineOf(message) }));
    return executor;
  }

  async function load(model: ArrayBuffer): Promise<void> {
    const page = readPageModel(fromPlanes(new Uint8Array(model)));
    generator = await PageGenerator.load(page, await started);
    answer({ kind: 'loaded', facts: factsOf(page.title, page.precision, page.recipe) });
    prepared = generator.prepare().catch(() => {});
  }

  async function draw({ job, prompt, choices }: Extract<Request, { kind: 'draw' }>): Promise<void> {
    const stop = new AbortController();
    jobs.set(job, stop);
    let message: string | undefined;
    try {
      await prepared;
      const { sampler, ...rest } = choices;
      const options = { ...rest, ...(sampler !== undefined && { sampler: sampler as keyof typeof samplers }) };
      for await (const frame of generator!.draw(prompt, { ...options, signal: stop.signal })) {
        const { preview, ...facts } = frame;
        const { data: pixels } = preview;
        // Handed over: copied, they would lie here too until garbage is collected.
        answer({ kind: 'frame', job, ...facts, pixels }, [pixels.buffer as ArrayBuffer]);
      }
    } catch (error) {
      const isOfDevice = device === 'webgpu' && !(error instanceof UserError) && !stop.signal.aborted;
      if (isOfDevice) return answer({ kind: 'lost', message: lineOf(messageOf(error)) });
      if (!stop.signal.aborted) message = inWords(error);
    }
    jobs.delete(job);
    answer({ kind: 'ended', job, message, unknownWords: generator!.unknownWords(prompt) });
  }

  scope.onmessage = ({ data }) => {
    if (data.kind === 'runtime') setUp(data);
    else if (data.kind === 'load')
      load(data.model).catch((error: unknown) => answer({ kind: 'broken', message: inWords(error) }));
    else if (data.kind === 'draw') void draw(data);
    else jobs.get(data.job)?.abort();
  };
}

/** Mistakes of the visitor as they are; what else went wrong with what it was. */
const inWords = (error: unknown): string =>
  error instanceof UserError ? error.message : `Something went wrong: ${lineOf(messageOf(error))}`;

const lineOf = (message: string): string => message.split('\n')[0]!;

const { steps, guidanceScale, sampler } = samplingSchema.shape;

function factsOf(title: string, precision: Facts['precision'], recipe: Recipe): Facts {
  const { sampling, diffusion, imageSize } = recipe;
  const fields: Field[] = [
    {
      name: 'steps',
      label: 'Steps',
      hint: hintOf(steps),
      value: `${sampling.steps}`,
      most: diffusion.timesteps,
    },
    { name: 'guidanceScale', label: 'Guidance', hint: hintOf(guidanceScale), value: `${sampling.guidanceScale}` },
    {
      name: 'sampler',
      label: 'Sampler',
      hint: hintOf(sampler),
      value: sampling.sampler,
      choices: Object.values(samplers).map(({ name, description }) => ({ value: name, hint: description })),
    },
  ];
  return { title, side: imageSize, grid: gridSize(recipe), precision, fields };
}
