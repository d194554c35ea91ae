/**
 * Calls to a worker thread (`calls.ts`).
 *
 * A thread of ours computes in native code most of the time, and may only be ended while it is idle: native code that returns into a
 * dead thread ends the whole process. So closing waits until everything under way is answered. For the same reason a thread keeps
 * the process alive while it starts and while a call is under way, and at no other time: a program that never closes it still exits.
 */

import { createRequire } from 'node:module';
import { parentPort, Worker } from 'node:worker_threads';
import { Caller, type Channel, type Handlers, type ReplyOf, type RequestOf, serve } from './calls.ts';

export interface WorkerStart {
  /** The worker's file as this package exports it: built JavaScript also when the caller is TypeScript under test. */
  readonly file: `clip-vqdiffusion/workers/${string}`;
  /** What messages call it: "the engine". */
  readonly label: string;
  /** The `workerData` of the thread. */
  readonly options: unknown;
}

/** The first message of a worker, before any reply. */
const READY = 'ready';

/** A worker thread whose requests are those of `T`. */
export class WorkerCaller<T> {
  readonly #worker: Worker;
  readonly #caller: Caller<T>;
  readonly #label: string;
  /** Settles when the thread has started, or has ended. */
  readonly #started: Promise<void>;
  #isStarting = true;
  #isBusy = false;

  constructor({ file, label, options }: WorkerStart) {
    this.#label = label;
    // Without the arguments of this process: some, such as --eval, are not for files.
    const start = { workerData: options, name: label, execArgv: [] };
    this.#worker = new Worker(createRequire(import.meta.url).resolve(file), start);
    this.#caller = new Caller<T>(this.#channel());
    this.#worker.on('error', (error) => this.#caller.lose(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on('exit', (code) => this.#caller.lose(new Error(`${label} ended unexpectedly (exit code ${code})`)));
    this.#started = new Promise((resolve) => {
      this.#worker.on('message', (message: unknown) => {
        if (message === READY) resolve();
      });
      this.#worker.once('exit', () => resolve());
    });
    this.#started.then(() => {
      this.#isStarting = false;
      this.#hold();
    });
  }

  /** @throws what the handler throws; Error once the worker is closed or gone. */
  call<K extends keyof T & string>(
    kind: K,
    request: RequestOf<T, K>,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<ReplyOf<T, K>> {
    return this.#caller.call(kind, request, transfer);
  }

  get isOpen(): boolean {
    return this.#caller.isOpen;
  }

  /** Rejects later calls, lets the worker answer or rejects those under way, and ends it once it is idle. */
  async close(underWay: 'answer' | 'reject'): Promise<void> {
    await this.#caller.stop(new Error(`${this.#label} was closed`), underWay);
    await this.#started;
    await this.#worker.terminate();
  }

  #channel(): Channel {
    return {
      send: (message, transfer = []) => this.#worker.postMessage(message, [...transfer]),
      listen: (receive) =>
        this.#worker.on('message', (message: unknown) => {
          if (message !== READY) receive(message);
        }),
      busy: (isBusy) => {
        this.#isBusy = isBusy;
        this.#hold();
      },
    };
  }

  #hold(): void {
    if (this.#isBusy || this.#isStarting) this.#worker.ref();
    else this.#worker.unref();
  }
}

/** Answers the calls of the thread that started this one. */
export function serveParent<T>(handlers: Handlers<T>): void {
  const port = parentPort;
  if (!port) throw new Error('This file is a worker: it does nothing by itself');
  serve<T>(
    {
      send: (message, transfer = []) => port.postMessage(message, [...transfer]),
      listen: (receive) => port.on('message', receive),
    },
    handlers,
  );
  port.postMessage(READY);
}
