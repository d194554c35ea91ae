/**
 * Our side of the comparison, as a process of its own: it does one job and nothing else, so that its memory is the
 * job's.
 */

import { createRequire } from 'node:module';
import { serve } from '../../base/calls.ts';
import { Engine } from '../../engine/engine.ts';
import { peakResidentBytes } from '../../engine/memory/resident.ts';
import type { PeerCalls } from './protocol.ts';
import { prepareWork, type Work } from './work.ts';

async function checked(work: Work): Promise<readonly number[]> {
  if (work.check) return work.check();
  const values: number[] = [];
  for (let i = 0; i < 3; i++) values.push(...(await work.run()));
  return values;
}

let work: Work | undefined;

const prepared = (): Work => {
  if (!work) throw new Error('Nothing was prepared');
  return work;
};

/** Mean milliseconds of steps that follow each other for so long. */
async function timed(work: Work, leastMs: number): Promise<number> {
  const start = performance.now();
  for (let steps = 1; ; steps++) {
    await work.run();
    const passed = performance.now() - start;
    if (passed >= leastMs) return passed / steps;
  }
}

serve<PeerCalls>(
  { send: (message) => process.send?.(message), listen: (receive) => process.on('message', receive) },
  {
    async prepare({ job, threads, spin, device }) {
      work = await prepareWork(job, Engine.start({ threads, spin, device }));
      const ort = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
      return { versions: { node: process.versions.node, 'onnxruntime-node': ort.version }, threads, device };
    },
    check: () => checked(prepared()),
    round: ({ leastMs }) => timed(prepared(), leastMs),
    peak: () => peakResidentBytes() / 2 ** 20,
  },
);
process.on('disconnect', () => process.exit());
