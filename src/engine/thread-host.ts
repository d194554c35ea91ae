/**
 * The thread that starts the threads of engines, one in a process.
 *
 * ONNX Runtime flushes subnormal numbers to zero, which keeps them from slowing a training run fivefold, but sets that
 * up for one calling thread in the life of a process: the one that makes the first session. A second engine in a thread
 * of its own would compute with subnormals, slower and to other bits. On Linux a thread inherits how its creator rounds
 * and flushes. So one thread makes the first session of the process, stays, and creates the threads of all engines.
 * (Elsewhere nothing is inherited, and the first engine alone is set up.)
 */

import { MessageChannel } from 'node:worker_threads';
import { startThread, type Thread, ThreadCaller, type ThreadStart } from '../base/worker-calls.ts';
import type { HostCalls } from './host-protocol.ts';

const LABEL = 'The thread that starts engines';

interface Host {
  readonly ready: Promise<void>;
  readonly caller: ThreadCaller<HostCalls>;
}

let host: Host | undefined;
let threads = 0;

function startHost(): Host {
  const thread = startThread({ file: 'clip-vqdiffusion/workers/engine-host', label: LABEL, options: {} });
  return { ready: thread.started, caller: new ThreadCaller<HostCalls>(thread, LABEL) };
}

function theHost(): Host {
  host ??= startHost();
  return host;
}

/** Settles when sessions of ONNX Runtime may be made outside engines: the host's has to be the first. */
export const engineThreadsReady = (): Promise<void> => theHost().ready;

/** Starts a thread for an engine. */
export function startEngineThread(start: ThreadStart): Thread {
  const { port1, port2 } = new MessageChannel();
  const id = threads++;
  const { caller } = theHost();
  const started = caller.call('start', { id, start, port: port2 }, [port2]);
  return { port: port1, started, end: () => caller.call('end', { id }) };
}
