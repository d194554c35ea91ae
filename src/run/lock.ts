/**
 * Only one process trains a run at a time. The owner writes its name into a file of the run and touches it now and
 * then; a file whose owner is gone is stale, and the next one takes it over. Reading a run needs no lock.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { threadId } from 'node:worker_threads';
import * as z from 'zod';
import { UserError } from '../base/errors.ts';
import { fileError, systemCode } from '../files/file-errors.ts';
import { isRunning, startedAt } from '../files/processes.ts';
import { readText as textOf } from '../files/regular-file.ts';

const FILE = 'lock.json';
/** Beside the lock while a stale one is taken over, so that only one takes it. */
const TAKEOVER = 'lock.takeover';
/** Milliseconds between two touches, and after which an owner on another machine counts as gone. */
const TOUCH_EVERY = 30_000;
const GONE_AFTER = 10 * 60_000;
/** A take-over is a matter of milliseconds: one that lies for longer was killed. */
const TAKEOVER_GONE_AFTER = 10_000;

const schema = z.object({ pid: z.int(), host: z.string(), since: z.string(), started: z.string().optional() });
/** Who trains a run, on which machine, and since when. */
export type Owner = z.infer<typeof schema>;

export interface RunLock {
  release(): void;
}

/**
 * Lock a run directory for this process until `release`.
 * @throws UserError naming the owner if another process, or another training of this one, has it; or if the folder
 * cannot be written.
 */
export function lockRun(folder: string): RunLock {
  const file = path.join(folder, FILE);
  const text = `${JSON.stringify(identityOf(process.pid))}\n`;
  try {
    if (!create(file, text)) takeOver(folder, file, text);
  } catch (error) {
    throw systemCode(error) === undefined ? error : fileError('lock', folder, error);
  }
  const timer = setInterval(() => touch(file), TOUCH_EVERY);
  timer.unref();
  return {
    release() {
      clearInterval(timer);
      // A lock that was taken away is not ours to remove.
      if (readText(file) === text) fs.rmSync(file, { force: true });
    },
  };
}

/**
 * Create a file that is not there yet; false if it is. It appears with its text in it: one without an owner's name
 * would be taken over.
 */
function create(file: string, text: string): boolean {
  const whole = `${file}.${process.pid}-${threadId}`;
  try {
    fs.writeFileSync(whole, text);
    fs.linkSync(whole, file);
    return true;
  } catch (error) {
    // A file system without links.
    return systemCode(error) === 'EEXIST' ? false : createInPlace(file, text);
  } finally {
    fs.rmSync(whole, { force: true });
  }
}

function createInPlace(file: string, text: string): boolean {
  try {
    fs.writeFileSync(file, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function takeOver(folder: string, file: string, text: string): void {
  refuseIfOwned(folder, file);
  const takeover = path.join(folder, TAKEOVER);
  if (ageOf(takeover) > TAKEOVER_GONE_AFTER) fs.rmSync(takeover, { force: true });
  if (!create(takeover, text))
    throw new UserError(`${folder} is being taken over by another process: run again in a moment`);
  try {
    // Another process may have been here between the look and the take-over.
    refuseIfOwned(folder, file);
    fs.writeFileSync(file, text);
  } finally {
    fs.rmSync(takeover, { force: true });
  }
}

/** @throws UserError if the owner of a lock is still at work, as far as can be known. */
function refuseIfOwned(folder: string, file: string): void {
  const owner = ownerOf(file);
  if (!owner || !isAtWork(owner, file)) return;
  const where = isHere(owner) ? '' : ` on ${owner.host}`;
  throw new UserError(
    `${folder} is being trained by process ${owner.pid}${where} since ${owner.since}: wait for it or stop it; if it is long gone, delete ${file}`,
  );
}

/** The process that trains a run now, as far as can be known; undefined if none does. */
export function trainerOf(folder: string): Owner | undefined {
  const file = path.join(folder, FILE);
  const owner = ownerOf(file);
  return owner && isAtWork(owner, file) ? owner : undefined;
}

function ownerOf(file: string): Owner | undefined {
  const text = readText(file);
  if (text === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    // Half-written by a process that was killed.
    return undefined;
  }
}

/** What tells a process of this machine from all others. */
export function identityOf(pid: number): Owner {
  const started = startedAt(pid);
  return { pid, host: os.hostname(), since: new Date().toISOString(), ...(started !== undefined && { started }) };
}

/** Whether a process is one of this machine. */
export const isHere = ({ host }: Pick<Owner, 'host'>): boolean => host === os.hostname();

/**
 * Whether a process is still there, as far as can be known; of another machine, whether it has touched `file` lately.
 */
export function isAtWork({ pid, host, started }: Owner, file: string): boolean {
  if (!isHere({ host })) return ageOf(file) < GONE_AFTER;
  if (!isRunning(pid)) return false;
  // The number of a process that ended is given to another one some day.
  const now = startedAt(pid);
  return started === undefined || now === undefined || started === now;
}

function touch(file: string): void {
  try {
    const now = new Date();
    fs.utimesSync(file, now, now);
  } catch {
    // The next touch may succeed; on this machine the owner is known without it.
  }
}

function ageOf(file: string): number {
  try {
    return Date.now() - fs.statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}

function readText(file: string): string | undefined {
  try {
    return textOf(file, 2 ** 16);
  } catch {
    return undefined;
  }
}
