/** The files through which ranks of one machine share memory. */

import fs from 'node:fs';

/** Those of Open MPI, by the name under which a process maps them. */
const FILES = /\/dev\/shm\/(?:vader|sm)_segment\S+/g;

/**
 * Remove the files of this job that this process has mapped. MPI_Finalize and the launcher do so; this is for a process
 * that ends without the one and may end the other. The memory stays for those who have it.
 */
export function removeSharedMemory(): void {
  try {
    const mapped = fs.readFileSync('/proc/self/maps', 'utf8').match(FILES) ?? [];
    for (const file of new Set(mapped)) fs.rmSync(file, { force: true });
  } catch {
    // Not Linux, or not ours: what is left behind takes a few megabytes.
  }
}
