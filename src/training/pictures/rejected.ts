/** The list of what was left out of a run. */

import fs from 'node:fs';
import type { Rejected } from '../../data/sources/containers/container.ts';
import type { RunDirectory } from '../../run/directory.ts';

const FILE = 'rejected.jsonl';

/**
 * Write down what the last look has left out; the list of an earlier look would outlive its causes.
 * @returns the file.
 */
export function listRejected(run: RunDirectory, rejected: readonly Rejected[]): string {
  if (rejected.length > 0) run.writeLines(FILE, rejected);
  else fs.rmSync(run.file(FILE), { force: true });
  return run.file(FILE);
}
