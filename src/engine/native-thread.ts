/**
 * Threads that compute in native code. All of a process are started by one launcher thread, which makes the process's first session of
 * ONNX Runtime: that session alone decides whether the thread that makes it flushes subnormal numbers to zero, and on Linux threads
 * inherit this from the thread that starts them.
 */

import { createRequire } from 'node:module';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import * as g from '../graph/index.ts';
import { writeOnnx } from '../graph/index.ts';
import type { FromLauncher, LauncherOptions, ToLauncher } from './launcher-protocol.ts';

/** The launcher of this process, started with the first thread. It keeps the process alive only while it has threads. */
class Launcher {
  private readonly worker: Worker;
  private readonly threads = new Map<number, NativeThread>();
  private count = 0;

  constructor() {
    const x = g.f32(1);
    const model = writeOnnx(
      g.trace({ x }, (inputs) => ({ y: g.add(inputs.x, 1) })),
      { outputName: (path) => path },
    );
    const workerData: LauncherOptions = { model };
    this.worker = new Worker(builtFile('launcher'), { workerData, name: 'clipvq launcher' });
    this.worker.unref();
    this.worker.on('message', (message: FromLauncher) => {
      const thread = this.threads.get(message.thread);
      if (message.kind === 'error') thread?.failed(message.error);
      else this.ended(message.thread);
    });
    this.worker.on('error', (error) => {
      for (const thread of this.threads.values()) thread.failed(error);
    });
    this.worker.on('exit', () => {
      for (const id of this.threads.keys()) this.ended(id);
      if (launcher === this) launcher = undefined;
    });
  }

  start(thread: NativeThread, file: string, data: object, name: string, port: MessagePort): number {
    const id = this.count++;
    this.threads.set(id, thread);
    this.worker.ref();
    this.worker.postMessage({ kind: 'start', thread: id, file, data, name, port } satisfies ToLauncher, [port]);
    return id;
  }

  terminate(id: number): void {
    if (this.threads.has(id)) this.worker.postMessage({ kind: 'terminate', thread: id } satisfies ToLauncher);
  }

  private ended(id: number): void {
    const thread = this.threads.get(id);
    this.threads.delete(id);
    if (this.threads.size === 0) this.worker.unref();
    thread?.exited();
  }
}

let launcher: Launcher | undefined;

/** What happens to a thread, as the one who starts it is told. */
export interface ThreadEvents<Answer> {
  message(answer: Answer): void;
  error(error: Error): void;
  exit(): void;
}

/** A thread of the launcher, used as a `Worker` is: it finds its port with `threadPort`, and what it was given in `workerData`. */
export class NativeThread<Answer = never> {
  private readonly port: MessagePort;
  private readonly id: number;
  private readonly home: Launcher;
  private readonly exit: Promise<void>;
  private resolveExit = () => {};

  /** @param worker an entry of the package's `exports` under `workers/`. */
  constructor(
    worker: string,
    data: object,
    private readonly events: ThreadEvents<Answer>,
  ) {
    this.exit = new Promise((resolve) => {
      this.resolveExit = resolve;
    });
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.port.on('message', (answer: Answer) => events.message(answer));
    launcher ??= new Launcher();
    this.home = launcher;
    this.id = this.home.start(this as NativeThread, builtFile(worker), data, `clipvq ${worker}`, port2);
  }

  postMessage(message: unknown, transfer: ArrayBuffer[] = []): void {
    this.port.postMessage(message, transfer);
  }

  /** Settles when the thread is gone. */
  terminate(): Promise<void> {
    this.home.terminate(this.id);
    return this.exit;
  }

  failed(error: Error): void {
    this.events.error(error);
  }

  exited(): void {
    this.port.close();
    this.events.exit();
    this.resolveExit();
  }
}

/** Workers run built JavaScript also when the caller is TypeScript under test. */
const builtFile = (worker: string): string =>
  createRequire(import.meta.url).resolve(`clip-vqdiffusion/workers/${worker}`);
