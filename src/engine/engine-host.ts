/**
 * The host's thread (`thread-host.ts`): makes the first session of the process, so that its threads inherit how numbers
 * are flushed.
 */

import process from 'node:process';
import { serveThread, spawn, type Thread } from '../base/worker-calls.ts';
import { firstModel } from './first-model.ts';
import type { HostCalls } from './host-protocol.ts';
import { ort } from './ort/runtime.ts';

if (process.platform === 'linux') {
  const session = await ort.InferenceSession.create(firstModel, {
    intraOpNumThreads: 1,
    extra: { session: { set_denormal_as_zero: '1' } },
  });
  await session.release();
}

const threads = new Map<number, Pick<Thread, 'end'>>();

serveThread<HostCalls>({
  async start({ id, start, port }) {
    const thread = spawn(start, port);
    threads.set(id, thread);
    await thread.started;
  },
  async end({ id }) {
    await threads.get(id)?.end();
    threads.delete(id);
  },
});
