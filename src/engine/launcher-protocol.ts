/** What the launcher and the thread that uses it say to each other. */

import type { MessagePort } from 'node:worker_threads';

export interface LauncherOptions {
  /** The model of the process's first session. */
  readonly model: Uint8Array;
}

export type ToLauncher =
  | {
      readonly kind: 'start';
      readonly thread: number;
      readonly file: string;
      readonly name: string;
      /** Its `workerData`. */
      readonly data: object;
      readonly port: MessagePort;
    }
  | { readonly kind: 'terminate'; readonly thread: number };

export type FromLauncher =
  | { readonly kind: 'error'; readonly thread: number; readonly error: Error }
  | { readonly kind: 'exit'; readonly thread: number };

/** The `workerData` of a thread that the launcher has started: what it was given, and the port to whoever gave it. */
export type ThreadData<Data extends object> = Data & { readonly port: MessagePort };
