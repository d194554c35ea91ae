/** Folders that are either whole or absent: made beside their place, then renamed to it. */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { makeFolder } from './atomic.ts';
import { fileError, systemCode } from './file-errors.ts';
import { isRunning } from './processes.ts';

/**
 * @param what is to be there, for the message: "the model".
 * @throws UserError if something is at the place, but for an empty folder.
 */
export function assertFreeFolder(folder: string, what: string): void {
  const found = fs.statSync(folder, { throwIfNoEntry: false });
  if (found && !found.isDirectory()) throw new UserError(`${folder} is a file: choose a new folder for ${what}`);
  if (found && fs.readdirSync(folder).length > 0)
    throw new UserError(`${folder} is not empty: choose a new folder for ${what}`);
}

/**
 * Make a folder at a free place (`assertFreeFolder`): nobody sees a part of it, and nothing is left behind where it
 * fails. What killed processes have left on the way to the same place is removed.
 * @param fill is given the folder that becomes it.
 * @throws UserError where the disk refuses; what `fill` throws.
 */
export async function makeWholeFolder(folder: string, fill: (building: string) => void | Promise<void>): Promise<void> {
  const place = path.resolve(folder);
  const building = `${place}.${process.pid}.tmp`;
  removeAbandoned(place);
  try {
    makeFolder(building);
    await fill(building);
    // Whatever has come there meanwhile is not ours.
    if (fs.existsSync(place)) fs.rmdirSync(place);
    fs.renameSync(building, place);
  } catch (error) {
    fs.rmSync(building, { recursive: true, force: true });
    throw systemCode(error) === undefined ? error : fileError('write', folder, error);
  }
}

/** Remove what killed processes have left beside a place. A folder of a living process stays. */
function removeAbandoned(place: string): void {
  const parent = path.dirname(place);
  const start = `${path.basename(place)}.`;
  for (const name of fs.existsSync(parent) ? fs.readdirSync(parent) : []) {
    const pid = name.startsWith(start) ? /^(\d+)\.tmp$/.exec(name.slice(start.length))?.[1] : undefined;
    if (pid !== undefined && isAbandoned(Number(pid)))
      fs.rmSync(path.join(parent, name), { recursive: true, force: true });
  }
}

/** Whether nobody builds under this number now: in containers a process often has the number of the one before. */
const isAbandoned = (pid: number): boolean => pid === process.pid || !isRunning(pid);
