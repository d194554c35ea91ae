/** Commands whose result is a document, as jobs: they end with the studio. */

import fs from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { Interrupted, UserError } from '../../base/errors.ts';
import { readText } from '../../files/regular-file.ts';
import { ended, failureIn, lastLines, progressIn, startCommand } from './command.ts';
import type { Running, Work } from './jobs.ts';

/** Milliseconds between two looks at a process. */
const LOOK = 300;
/** And before one that does not stop is ended. */
const PATIENCE = 20_000;

export interface CommandWork {
  /** The command's words; called whenever the job begins. */
  readonly args: () => readonly string[];
  /** Where its output goes. */
  readonly log: string;
  /** Called with its result, as JSON, once it has succeeded, or has failed with a report that says why. */
  readonly onResult: (result: unknown) => void;
}

/** The work of a command. A pause ends it: it begins anew when it is resumed. */
export const commandWork = ({ args, log, onResult }: CommandWork): Work => ({
  async run(job) {
    const result = `${log}.json`;
    fs.rmSync(log, { force: true });
    const child = startCommand(args(), log, result);
    try {
      const code = await watched(ended(child), job, log, (signal) => child.kill(signal));
      if (job.cancelled.aborted || job.closing.aborted) throw new Interrupted('Stopped');
      if (code === 0) {
        onResult(JSON.parse(readText(result)));
        return 'done';
      }
      if (job.paused.aborted) return 'paused';
      const report = failedReport(result);
      if (report !== undefined) onResult(report);
      throw new UserError(failureIn(log, code));
    } finally {
      fs.rmSync(result, { force: true });
    }
  },
});

/** The document of a command that failed, where it holds more than the failure. */
export function failedReport(file: string): unknown {
  try {
    const { error, exitCode, ...report } = JSON.parse(readText(file)) as Record<string, unknown>;
    return exitCode === 2 && Object.keys(report).length > 0 ? report : undefined;
  } catch {
    return undefined;
  }
}

/** Waits for the end of a process, shows its progress, and stops it when the job is cancelled or paused. */
async function watched(
  end: Promise<number | undefined>,
  job: Running,
  log: string,
  kill: (signal: NodeJS.Signals) => void,
): Promise<number | undefined> {
  let isOver = false;
  const over = end.finally(() => {
    isOver = true;
  });
  let stopping: number | undefined;
  while (!isOver) {
    await Promise.race([over, setTimeout(LOOK)]);
    if (stopping === undefined && (job.cancelled.aborted || job.closing.aborted || job.paused.aborted)) {
      stopping = Date.now();
      kill('SIGTERM');
    } else if (stopping !== undefined && Date.now() - stopping > PATIENCE) kill('SIGKILL');
    const progress = progressIn(lastLines(log, 1)[0] ?? '');
    if (progress && !isOver) job.change({ progress });
  }
  return over;
}
