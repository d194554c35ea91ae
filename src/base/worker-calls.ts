/**
 * Calls to a worker thread (`calls.ts`).
 *
 * A thread of ours computes in native code most of the time, and may only be ended while it is idle: native code that
 * returns into a dead thread ends the whole process. So closing waits until everything under way is answered. For the
 * same reason a thread keeps the process alive while it starts and while a call is under way, and at no other time: a
 * program that never closes it still exits.
 */

import { createRequire } from 'node:module';
import { MessageChannel, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import {
  Caller,
  type Channel,
  type Handlers,
  type ReplyOf,
  type RequestOf,
  serve,
  type Transferable,
} from './calls.ts';

export interface ThreadStart {
  /** The worker's file as this package exports it: built JavaScript also when the caller is TypeScript under test. */
  readonly file: `clip-vqdiffusion/workers/${string}`;
  /** Its name in messages: "the engine". */
  readonly label: string;
  /** What the thread is started with (`threadOptions`). */
  readonly options: unknown;
}

/** A thread, and the way to it. */
export interface Thread {
  readonly port: MessagePort;
  /** Settles when it answers calls; rejects with what kept it from starting. */
  readonly started: Promise<void>;
  /** Ends it: only while it is idle. */
  end(): Promise<unknown>;
}

/** Starts a thread that answers calls on a port. It keeps this thread alive until it has started. */
export function spawn({ file, label, options }: ThreadStart, port: MessagePort): Omit<Thread, 'port'> {
  const worker = new Worker(createRequire(import.meta.url).resolve(file), {
    workerData: { port, options },
    transferList: [port],
    name: label,
    // Without the arguments of this process: some, such as --eval, are not for files.
    execArgv: [],
  });
  const started = new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    // Later its port closes, which its caller notices.
    worker.on('error', reject);
    worker.once('exit', (code) => reject(new Error(`${label} ended while it started (exit code ${code})`)));
  });
  const rest = () => worker.unref();
  started.then(rest, rest);
  return { started, end: () => worker.terminate() };
}

/** Starts a thread from this one. */
export function startThread(start: ThreadStart): Thread {
  const { port1, port2 } = new MessageChannel();
  return { port: port1, ...spawn(start, port2) };
}

/** A thread whose requests are those of `T`. */
export class ThreadCaller<T> {
  readonly #thread: Thread;
  readonly #label: string;
  readonly #caller: Caller<T>;

  /** @param label its name in messages. */
  constructor(thread: Thread, label: string) {
    this.#thread = thread;
    this.#label = label;
    const { port } = thread;
    const channel: Channel = {
      send: (message, transfer = []) => port.postMessage(message, [...transfer]),
      listen: (receive) => port.on('message', receive),
      busy: (isBusy) => (isBusy ? port.ref() : port.unref()),
    };
    this.#caller = new Caller<T>(channel);
    port.unref();
    port.once('close', () => this.#caller.lose(new Error(`${label} ended unexpectedly`)));
    thread.started.catch((error: unknown) =>
      this.#caller.lose(error instanceof Error ? error : new Error(String(error))),
    );
  }

  /** @throws what the handler throws; Error once the thread is closed or gone. */
  call<K extends keyof T & string>(
    kind: K,
    request: RequestOf<T, K>,
    transfer: readonly Transferable[] = [],
  ): Promise<ReplyOf<T, K>> {
    return this.#caller.call(kind, request, transfer);
  }

  get isOpen(): boolean {
    return this.#caller.isOpen;
  }

  /** Rejects later calls, lets the thread answer or rejects those under way, and ends it once it is idle. */
  async close(underWay: 'answer' | 'reject'): Promise<void> {
    await this.#caller.stop(new Error(`${this.#label} was closed`), underWay);
    await this.#thread.started.catch(() => {});
    await this.#thread.end();
  }
}

interface ThreadData {
  readonly port: MessagePort;
  readonly options: unknown;
}

/** What this thread was started with. */
export const threadOptions = <O>(): O => (workerData as ThreadData).options as O;

/** Answers the calls of a `ThreadCaller` to this thread. */
export function serveThread<T>(handlers: Handlers<T>): void {
  const { port } = workerData as ThreadData;
  const channel: Channel = {
    send: (message, transfer = []) => port.postMessage(message, [...transfer]),
    listen: (receive) => port.on('message', receive),
  };
  serve<T>(channel, handlers);
  parentPort?.postMessage('ready');
}
