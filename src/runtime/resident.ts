/** Memory of this process as the system counts it. */

import { readFileSync } from 'node:fs';

/** Bytes that the process holds in memory now. */
export const residentBytes = (): number => fromStatus('VmRSS') ?? process.memoryUsage.rss();

/** The most it has ever held. Where the kernel does not say, Node does; that may count what was there before this program. */
export const peakResidentBytes = (): number => fromStatus('VmHWM') ?? 1024 * process.resourceUsage().maxRSS;

function fromStatus(field: string): number | undefined {
  try {
    const kilobytes = new RegExp(`${field}:\\s*(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : 1024 * Number(kilobytes);
  } catch {
    return undefined;
  }
}
