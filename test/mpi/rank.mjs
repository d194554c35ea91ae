/** What a rank does in `job.test.ts`: `mpirun -n 3 node rank.mjs <how>`. */

import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { withHalfGradients } from '../../dist/mpi/half-sums.js';
import { MpiJob } from '../../dist/mpi/job.js';
import { lead, shared } from '../../dist/mpi/ranks.js';

const [how, timeout = '20'] = process.argv.slice(2);
const job = await MpiJob.start({
  timeout: Number(timeout),
  onLost: (line) => console.error(line),
  onOrphaned: () => {},
});
const { rank, size } = job;

/** Work that never ends by itself; ranks meet before their sums, as in training. */
async function work({ meeting = true } = {}) {
  for (let i = 0; ; i++) {
    if (meeting) await job.barrier();
    await job.sum(new Float32Array(1000).fill(i));
    if (i === 3) console.log('working');
    await sleep(5);
  }
}

const cases = {
  async collect() {
    const data = Float32Array.from({ length: 5 }, (_, i) => i + 10 * rank);
    await job.sum(data);
    const halves = Float32Array.from({ length: 5 }, (_, i) => 1e5 * (i + 10 * rank));
    await withHalfGradients(job).sumGradients(halves);
    const own = new Uint8Array(rank).fill(rank);
    const bytes = Uint8Array.of(rank + 7);
    await job.broadcast(bytes);
    const failure = await lead(job, () => {
      throw new Error('no such file');
    }).catch((error) => error.message);
    return {
      sum: [...data],
      halves: [...halves].map((x) => Math.round(x / 1e4)),
      max: await job.max([rank, -rank]),
      gathered: (await job.gather(own)).map((one) => [...one]),
      broadcast: bytes[0],
      shared: await shared(job, rank === 0 ? { from: 0 } : undefined),
      failure,
      size,
    };
  },
  async die() {
    console.log('memory', ...new Set(fs.readFileSync('/proc/self/maps', 'utf8').match(/\/dev\/shm\/vader\S+/g)));
    if (rank === 1) setTimeout(() => process.kill(process.pid, 'SIGKILL'), 300 + 500 * Math.random());
    return work();
  },
  async hang() {
    if (rank === 1) setTimeout(() => process.kill(process.pid, 'SIGSTOP'), 300);
    // The other waits in the library, which keeps its thread.
    return work({ meeting: false });
  },
  work,
  async wait() {
    if (rank === 0) await sleep(2000);
    const [start, before] = [performance.now(), process.cpuUsage()];
    await job.barrier();
    const { user, system } = process.cpuUsage(before);
    return { rank, waited: performance.now() - start, busy: (user + system) / 1000 };
  },
  async failAlone() {
    if (rank !== 1) return work();
    return job.fail(2, (name) => console.error(`${name}: the disk is full`));
  },
  async failAtBarrier() {
    if (rank !== 0) return job.barrier();
    return job.fail(2, () => console.error('the run is locked'));
  },
  async failAlike() {
    return job.fail(2, (name) => console.error(`${name ?? 'all'}: no such recipe`));
  },
};
const result = await cases[how]();
console.log(`result ${JSON.stringify(result)}`);
await job.leave(0);
