/** Removes what killed trainings left half-written in a run, before the next one. */

import fs from 'node:fs';
import path from 'node:path';
import { makeFolder, sweepTemporaries } from '../files/atomic.ts';
import { RUN_FOLDERS, type RunDirectory } from './directory.ts';

/** A CLIP that was being exported, and settings and locks of a run that were being made. */
const UNFINISHED = /^(clip\.\d+\.tmp|(run\.json|lock\.json|lock\.takeover)\.\d+-\d+)$/;

/**
 * Make the folders of a run that are not there, and remove leftovers. To be called by the owner of a run's lock. What
 * cannot be removed stays: it does no harm.
 * @throws UserError if a folder cannot be made.
 */
export function sweepRun({ path: run }: RunDirectory): void {
  for (const folder of RUN_FOLDERS) makeFolder(path.join(run, folder));
  for (const folder of [run, ...foldersIn(run)]) {
    try {
      sweepTemporaries(folder, true);
    } catch {
      // A folder that cannot be cleaned is no reason not to train.
    }
  }
  try {
    for (const name of fs.readdirSync(run).filter((one) => UNFINISHED.test(one)))
      fs.rmSync(path.join(run, name), { recursive: true, force: true });
  } catch {
    // As above.
  }
}

/** The folders of a run, whatever stages it has, and those in them: training writes no deeper. */
function foldersIn(run: string, depth = 2): string[] {
  if (depth === 0) return [];
  try {
    const entries = fs.readdirSync(run, { withFileTypes: true });
    // A link may lead to a folder on a larger disk.
    const folders = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
    return folders.flatMap(({ name }) => [path.join(run, name), ...foldersIn(path.join(run, name), depth - 1)]);
  } catch {
    return [];
  }
}
