/** The logs of training in a run directory: one JSON value a line, appended step by step. */

import fs from 'node:fs';
import { writeFileAtomic } from '../files/atomic.ts';
import { linePieces, linesOf } from '../files/lines.ts';

/** Every step; and every tenth one with its rate and, at checkpoints, hashes of the state. */
export const LOGS = ['log.jsonl', 'metrics.jsonl'] as const;
export type LogName = (typeof LOGS)[number];

/**
 * Take the entries of a stage that come after `step` out of a log, and what a killed run left of a line: a run that
 * goes on from there writes them again.
 */
export function trimLog(file: string, stage: string, step: number): void {
  if (!fs.existsSync(file)) return;
  const stays = (line: string) => {
    const entry = logEntry(line);
    return entry !== undefined && !(entry.stage === stage && Number(entry.step) > step);
  };
  for (const { text, hasEnd } of linesOf(file))
    if (!hasEnd || !stays(text)) {
      writeFileAtomic(file, linePieces(kept(file, stays)));
      return;
    }
}

function* kept(file: string, stays: (line: string) => boolean): Generator<string, void> {
  for (const { text } of linesOf(file)) if (stays(text)) yield text;
}

function logEntry(line: string): { readonly stage?: unknown; readonly step?: unknown } | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' && entry !== null ? entry : undefined;
  } catch {
    return undefined;
  }
}
