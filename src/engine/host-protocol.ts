/** What passes between `thread-host.ts` and its thread. */

import type { MessagePort } from 'node:worker_threads';
import type { ThreadStart } from '../base/worker-calls.ts';

export interface HostCalls {
  /** Answered once the thread has started. */
  start(request: { readonly id: number; readonly start: ThreadStart; readonly port: MessagePort }): void;
  /** Ends a thread that is idle. */
  end(request: { readonly id: number }): void;
}
