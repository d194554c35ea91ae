/** What the GPU does while the two sides compute, as `nvidia-smi` reports it; nothing where there is none. */

import { type ChildProcess, spawn } from 'node:child_process';
import readline from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

interface Sample {
  /** By `performance.now`. */
  readonly at: number;
  /**
   * Share of the time in which some kernel ran, in percent, over the driver's last period; NaN where it does not say.
   */
  readonly busy: number;
  /** Memory in use, of all processes. */
  readonly usedMB: number;
}

const EVERY_MS = 50;
/** The driver's numbers are this old at most. */
const DELAY_MS = 300;

export class GpuMeter {
  private readonly samples: Sample[] = [];

  private constructor(private readonly child: ChildProcess) {
    // Without the program there is an error here and never a sample.
    child.on('error', () => {});
    if (!child.stdout) return;
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
      const [busy = Number.NaN, usedMB = Number.NaN] = line.split(',').map(Number);
      if (usedMB >= 0) this.samples.push({ at: performance.now(), busy, usedMB });
    });
  }

  /** Read the numbers of the first GPU until closed. */
  static start(): GpuMeter {
    const query = ['--query-gpu=utilization.gpu,memory.used', '--format=csv,noheader,nounits', '-i', '0'];
    return new GpuMeter(
      spawn('nvidia-smi', [...query, '-lms', `${EVERY_MS}`], { stdio: ['ignore', 'pipe', 'ignore'] }),
    );
  }

  /** Memory in use now; undefined where nothing is known. */
  async used(): Promise<number | undefined> {
    await sleep(DELAY_MS);
    return this.samples.at(-1)?.usedMB;
  }

  /** The most memory in use since a time, and the mean busyness from shortly after it. */
  async since(start: number): Promise<{ readonly peakMB: number; readonly busy: number } | undefined> {
    await sleep(DELAY_MS / 3);
    const seen = this.samples.filter(({ at }) => at >= start);
    if (seen.length === 0) return undefined;
    const settled = seen.filter(({ at, busy }) => at >= start + DELAY_MS && busy >= 0);
    return {
      peakMB: Math.max(...seen.map(({ usedMB }) => usedMB)),
      busy: settled.reduce((sum, { busy }) => sum + busy, 0) / settled.length,
    };
  }

  close(): void {
    this.child.kill();
  }
}
