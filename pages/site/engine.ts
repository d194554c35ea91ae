/** The worker as the page sees it: loaded once, then one job after another. */

import { fetchAll, inPage, type OnProgress, pageData } from './assets.ts';
import type { Answer, Choices, Facts, FrameMessage, Request } from './protocol.ts';
import { unpacked } from './unpacked.ts';

export type Device = 'cpu' | 'webgpu';

/** Threads that the runtime may have: more than one only where the page is isolated. */
export const threadsHere = (): number =>
  globalThis.crossOriginIsolated ? Math.max(1, Math.min(4, navigator.hardwareConcurrency ?? 1)) : 1;

interface Job {
  readonly onFrame: (frame: FrameMessage) => void;
  readonly resolve: (end: JobEnd) => void;
}

/** How a job has come to its end. */
export interface JobEnd {
  /** Whether the engine stopped before, and another one is to draw the rest. */
  readonly isLost?: boolean;
  readonly message: string | undefined;
  readonly unknownWords: readonly string[];
}

export class Engine {
  private readonly jobs = new Map<number, Job>();
  private lastJob = 0;
  private isBroken = false;

  private constructor(
    private readonly worker: Worker,
    readonly device: Device,
    readonly facts: Facts,
    private readonly onBroken: (message: string) => void,
  ) {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.breakOff('The drawing stopped: the browser ended its worker, perhaps for want of memory.');
    };
  }

  /**
   * Fetch what is needed and start.
   * @throws Error that says what could not be had.
   */
  static async start(device: Device, onProgress: OnProgress, onBroken: (message: string) => void): Promise<Engine> {
    if (typeof DecompressionStream === 'undefined' || typeof WebAssembly === 'undefined')
      throw new Error('This browser is too old for this page: it needs WebAssembly and DecompressionStream');
    const { files } = pageData();
    const worker = files ? siteWorker(device) : fileWorker(await unpacked(await inPage('worker')));
    const glue = files && absolute(device === 'webgpu' ? 'runtime-webgpu.mjs' : 'runtime.mjs');
    const threads = device === 'webgpu' ? 1 : threadsHere();
    const sendRuntime = (wasm: Blob) => send(worker, { kind: 'runtime', wasm, glue, threads });
    const sendModel = async (packed: Blob) => {
      const model = await unpacked(packed);
      send(worker, { kind: 'load', model }, [model]);
    };
    const sending = files
      ? fetchAll([device === 'webgpu' ? files.webgpu : files.wasm, files.model], onProgress, (at, file) =>
          at === 0 ? sendRuntime(file) : sendModel(file),
        )
      : // The runtime first: it gets ready beside this thread, which reads and unpacks the model meanwhile.
        inPage('wasm')
          .then(sendRuntime)
          .then(() => inPage('model'))
          .then(sendModel);
    const loading = new Promise<Facts>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Answer>) => {
        if (data.kind === 'loaded') resolve(data.facts);
        else if (data.kind === 'broken') reject(new Error(data.message));
      };
      worker.onerror = () => reject(new Error('The worker of this page did not start'));
    });
    const [facts] = await Promise.all([loading, sending]).catch((error: unknown) => {
      worker.terminate();
      throw error;
    });
    return new Engine(worker, device, facts, onBroken);
  }

  /** Draw; each frame is handed to `onFrame`. Resolves at the end, however it came. */
  draw(
    prompt: string,
    choices: Choices,
    onFrame: (frame: FrameMessage) => void,
  ): { job: number; end: Promise<JobEnd> } {
    const job = ++this.lastJob;
    const end = new Promise<JobEnd>((resolve) => this.jobs.set(job, { onFrame, resolve }));
    this.post({ kind: 'draw', job, prompt, choices });
    return { job, end };
  }

  /** End a job at its next step. */
  cancel(job: number): void {
    this.post({ kind: 'cancel', job });
  }

  /** Stop it; another engine draws what is left. */
  close(): void {
    this.end({ message: undefined, unknownWords: [], isLost: true });
  }

  private end(answer: JobEnd): void {
    this.worker.terminate();
    for (const { resolve } of this.jobs.values()) resolve(answer);
    this.jobs.clear();
  }

  /** Once: a lost device is reported by itself, and by what it was computing. */
  private breakOff(message: string): void {
    if (this.isBroken) return;
    this.isBroken = true;
    this.end({ message, unknownWords: [], isLost: this.device === 'webgpu' });
    this.onBroken(message);
  }

  private receive(answer: Answer): void {
    if (answer.kind === 'lost') this.breakOff(answer.message);
    if (answer.kind === 'frame') this.jobs.get(answer.job)?.onFrame(answer);
    if (answer.kind !== 'ended') return;
    this.jobs.get(answer.job)?.resolve(answer);
    this.jobs.delete(answer.job);
  }

  private post(request: Request): void {
    this.worker.postMessage(request);
  }
}

/** Bytes that are sent are the worker's from then on. */
const send = (worker: Worker, request: Request, bytes: ArrayBuffer[] = []): void => worker.postMessage(request, bytes);

/** Addresses inside a worker are relative to the worker's own file. */
const absolute = (file: string): string => new URL(file, location.href).href;

const siteWorker = (device: Device): Worker =>
  new Worker(absolute(device === 'webgpu' ? 'worker-webgpu.js' : 'worker.js'), { type: 'module' });

/** A page that was opened from a file may start only workers that it holds itself. */
const fileWorker = (code: ArrayBuffer): Worker =>
  new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));

/** Whether WebGPU can be tried here: the browser has an adapter, and WebAssembly can wait for it. */
export async function hasWebGpu(): Promise<boolean> {
  if (!pageData().files || !('Suspending' in WebAssembly)) return false;
  const { gpu } = navigator as { readonly gpu?: { requestAdapter(): Promise<object | null> } };
  return (await gpu?.requestAdapter().catch(() => null)) != null;
}
