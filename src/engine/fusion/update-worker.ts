/** A thread that computes its share of fused updates: the other end of `update-threads.ts`. */

import { parentPort } from 'node:worker_threads';
import { loopOf } from './fused.ts';
import type { Loop } from './simd.ts';
import { buffersIn, type Share } from './update-threads.ts';

const programs = new Map<number, readonly Loop[]>();

parentPort?.on('message', (share: Share) => {
  if ('loops' in share) {
    programs.set(share.program, share.loops.map(loopOf));
    return;
  }
  const { program, scalars, arrays } = share;
  for (const [i, run] of programs.get(program)!.entries()) run(scalars[i]!, arrays[i]!);
  parentPort?.postMessage(arrays, buffersIn(arrays));
});
