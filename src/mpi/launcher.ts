/**
 * The launcher that has started this process. Open MPI's mpirun waits without end for a machine that it cannot reach
 * any more, and sleeps where it was told to give ranks time: when a rank is lost, it is given a while to end the
 * others, and is ended itself then.
 */

import { spawn } from 'node:child_process';
import fs from 'node:fs';

/** Launchers that may be ended; a batch system's are not ours. */
const NAMES: readonly string[] = ['mpirun', 'orterun', 'prterun', 'mpiexec'];

/**
 * End the launcher in `seconds`, if it is one that has been started on this machine and is still there. This process
 * may be gone by then. One that sleeps has passed on nothing of what ranks have printed: `line` is written to where it
 * prints itself.
 */
export function endLauncherIn(seconds: number, line: string, pid = process.ppid): void {
  if (!NAMES.includes(commandOf(pid))) return;
  const name = `/proc/${pid}/comm`;
  const still = NAMES.map((one) => `[ "$(cat ${name} 2>/dev/null)" = ${one} ]`).join(' || ');
  const end = `printf '%s\\n' "$1" >> /proc/${pid}/fd/2; kill -9 ${pid}`;
  const child = spawn('sh', ['-c', `sleep ${seconds}; if ${still}; then ${end}; fi`, 'sh', line], {
    detached: true,
    stdio: 'ignore',
  });
  // Without a shell the launcher is left to itself.
  child.on('error', () => {});
  child.unref();
}

function commandOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}
