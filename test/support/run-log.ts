/** The log of a run, as training writes it. */

import fs from 'node:fs';
import path from 'node:path';

export interface Logged {
  readonly stage: string;
  readonly step: number;
  readonly loss: number;
  readonly activationBytes?: number;
  readonly clipScore?: number;
}

/** The lines of a run's log, one a step. */
export const readLog = (run: string): Logged[] =>
  fs
    .readFileSync(path.join(run, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Logged);
