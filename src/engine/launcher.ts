/** The launcher: a thread that makes the process's first session, which sets it to flush subnormals, and then starts all others. */

import { parentPort, Worker, workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';
import type { FromLauncher, LauncherOptions, ToLauncher } from './launcher-protocol.ts';

const { model } = workerData as LauncherOptions;
const options = { intraOpNumThreads: 1, extra: { session: { set_denormal_as_zero: '1' } } };
const first = await ort.InferenceSession.create(model, options);
await first.release();

const threads = new Map<number, Worker>();
const answer = (message: FromLauncher) => parentPort?.postMessage(message);

parentPort?.on('message', (message: ToLauncher) => {
  const { thread } = message;
  if (message.kind === 'terminate') {
    void threads.get(thread)?.terminate();
    return;
  }
  const { file, name, data, port } = message;
  const worker = new Worker(file, { workerData: { ...data, port }, transferList: [port], name });
  threads.set(thread, worker);
  worker.on('error', (error) => answer({ kind: 'error', thread, error }));
  worker.on('exit', () => {
    threads.delete(thread);
    answer({ kind: 'exit', thread });
  });
});
