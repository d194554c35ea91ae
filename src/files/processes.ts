/** Which processes of this machine are still there. */

import fs from 'node:fs';
import { systemCode } from './file-errors.ts';

/**
 * Of a process that has ended and whose parent has not taken notice of it yet: it keeps its number, and does nothing.
 */
const ENDED: readonly (string | undefined)[] = ['Z', 'X'];

/** Whether a process runs, as far as can be known: one that may not be looked at does. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false;
  }
  return !ENDED.includes(statusOf(pid)?.[0]);
}

/** When a process was started, where the system says it: boot and clock ticks since. */
export function startedAt(pid: number): string | undefined {
  try {
    const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const ticks = statusOf(pid)?.[19];
    return ticks === undefined ? undefined : `${boot} ${ticks}`;
  } catch {
    return undefined;
  }
}

/** What Linux says of a process, from its state on (proc_pid_stat(5), field 3). */
function statusOf(pid: number): string[] | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program, in brackets, may hold spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
