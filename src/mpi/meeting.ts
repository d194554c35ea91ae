/**
 * Waiting for all ranks. A call of MPI that waits keeps a core busy for as long as it does, which the ranks that are
 * waited for may need: rank 0 at work for all of them, on the same machine. So ranks meet by a barrier that is begun
 * and then looked at, in pauses that grow with the wait.
 */

import { setImmediate, setTimeout } from 'node:timers/promises';
import { check, type Handle, type MpiLibrary } from './library.ts';

/** Milliseconds of a wait in which there are no pauses: ranks that do the same are seldom further apart. */
const WITHOUT_PAUSES = 16;
/** A pause is such a part of the wait so far, */
const PART = 1 / 16;
/** and takes at most so many milliseconds. */
const LONGEST = 20;

/** Resolves once every rank of a communicator has made this call. */
export async function meet(mpi: MpiLibrary, communicator: Handle): Promise<void> {
  const [request, flag, status] = [mpi.cell(), new Int32Array(1), new Uint8Array(64)];
  const start = performance.now();
  check(mpi.beginBarrier(communicator, request), 'MPI_Ibarrier');
  for (;;) {
    check(mpi.test(request, flag, status), 'MPI_Test');
    if (flag[0] !== 0) return;
    const waited = performance.now() - start;
    await (waited < WITHOUT_PAUSES ? setImmediate() : setTimeout(Math.min(LONGEST, waited * PART)));
  }
}
