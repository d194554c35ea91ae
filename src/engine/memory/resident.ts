/** Memory of this process as the system counts it. */

import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes that the process holds in memory now. */
export const residentBytes = (): number => fromStatus('VmRSS') ?? process.memoryUsage.rss();

/**
 * The most it has ever held. Where the kernel does not say, Node does; that may count what was there before this
 * program.
 */
export const peakResidentBytes = (): number => fromStatus('VmHWM') ?? 1024 * process.resourceUsage().maxRSS;

function fromStatus(field: string): number | undefined {
  try {
    const kilobytes = new RegExp(`${field}:\\s*(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : 1024 * Number(kilobytes);
  } catch {
    return undefined;
  }
}

/** Bytes as a person reads them: 3.1 GB, 240 MB. */
export const sizeText = (bytes: number): string =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;

let collect: (() => void) | undefined;

/** Bytes that this process holds once its garbage is gone: what a stage that begins now adds to. */
export function settledBytes(): number {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
  return residentBytes();
}
