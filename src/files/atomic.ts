/** Files that are either whole or absent: written beside their place, flushed to the disk, then renamed over it. */
import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { fileError, systemCode } from './file-errors.ts';
import { writeFully } from './full-io.ts';
import { isRunning } from './processes.ts';

/** `.NAME.PID-THREAD.tmp`: the writer's identity tells a sweep whether the writer may still be at work. */
const TEMPORARY = /^\..+\.(\d+)-(\d+)\.tmp$/;

/**
 * Writes `data` (text as UTF-8, bytes, or chunks of bytes, which are pulled one by one) to `path`, replacing what is
 * there. A reader, a crash or a kill at any moment sees the old file or the new one, never a part.
 *
 * @throws UserError when the disk refuses (full, missing folder, permissions); nothing is left behind then. Any other
 * error, such as one thrown by the chunks, passes through unchanged after the same clean-up.
 */
export function writeFileAtomic(path: string, data: string | Uint8Array | Iterable<Uint8Array>): void {
  const file = new Replacement(path);
  try {
    file.open();
    for (const chunk of chunksOf(data)) file.write(chunk);
    file.commit();
  } catch (error) {
    throw file.discard(error);
  }
}

/**
 * `writeFileAtomic` for a file that must not be there yet: of several writers one succeeds.
 *
 * @returns false if it is there.
 * @throws as `writeFileAtomic` does.
 */
export function writeFileOnce(path: string, text: string): boolean {
  if (fs.existsSync(path)) return false;
  const whole = `${path}.${process.pid}-${threadId}`;
  writeFileAtomic(whole, text);
  try {
    fs.linkSync(whole, path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    // A file system without links: the last writer wins.
    writeFileAtomic(path, text);
    return true;
  } finally {
    removeQuietly(whole);
  }
}

/** What happens between the last byte of a file and its appearance. */
export interface Finish {
  /** Bytes to be written over what stands at `at`: what only the whole file can tell, such as its checksum. */
  readonly patch?: (() => { readonly at: number; readonly bytes: Uint8Array } | undefined) | undefined;
  /** Called when the new file is whole on the disk and about to take its place. */
  readonly beforeCommit?: (() => void) | undefined;
}

/**
 * `writeFileAtomic` for chunks of bytes that come one by one.
 *
 * @throws as `writeFileAtomic` does.
 */
export async function writeStreamAtomic(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  { patch, beforeCommit }: Finish = {},
): Promise<void> {
  const file = new Replacement(path);
  try {
    file.open();
    for await (const chunk of chunks) file.write(chunk);
    const late = patch?.();
    if (late) file.patch(late.at, late.bytes);
    file.commit(beforeCommit);
  } catch (error) {
    throw file.discard(error);
  }
}

/** What this thread is writing at the moment. */
const unfinished = new Set<string>();

/** A file on its way to its place. */
class Replacement {
  private readonly folder: string;
  private readonly name: string;
  private file: number | undefined;

  constructor(private readonly path: string) {
    this.folder = dirname(path);
    this.name = `.${basename(path)}.${process.pid}-${threadId}.tmp`;
  }

  open(): void {
    unfinished.add(this.name);
    this.file = fs.openSync(this.temporary, 'w');
  }

  write(chunk: Uint8Array): void {
    writeFully(this.file!, chunk);
  }

  patch(at: number, bytes: Uint8Array): void {
    writeFully(this.file!, bytes, at);
  }

  commit(before?: () => void): void {
    fs.fsyncSync(this.file!);
    this.close();
    before?.();
    fs.renameSync(this.temporary, this.path);
    flushFolder(this.folder);
    unfinished.delete(this.name);
  }

  /** After a failure: leaves nothing behind, and gives what to throw. */
  discard(error: unknown): unknown {
    this.close();
    removeQuietly(this.temporary);
    unfinished.delete(this.name);
    return systemCode(error) === undefined ? error : fileError('write', this.path, error);
  }

  private get temporary(): string {
    return join(this.folder, this.name);
  }

  private close(): void {
    if (this.file === undefined) return;
    const file = this.file;
    this.file = undefined;
    fs.closeSync(file);
  }
}

/**
 * Makes a folder, and those above it, where there is none.
 *
 * @throws UserError when the disk refuses.
 */
export function makeFolder(folder: string): void {
  try {
    makeWithParents(folder);
  } catch (error) {
    throw fileError('create', folder, error);
  }
}

/** From the top down: where a file system makes no folders (/proc), Node's own recursion does not end. */
function makeWithParents(folder: string): void {
  if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = dirname(folder);
  if (parent !== folder) makeWithParents(parent);
  try {
    fs.mkdirSync(folder);
  } catch (error) {
    // Another process may have made it a moment ago.
    if (systemCode(error) !== 'EEXIST' || !fs.statSync(folder).isDirectory()) throw error;
  }
}

/**
 * Removes from `folder` what killed runs left half-written, and returns the removed names. Temporaries of other
 * processes that are still alive stay, unless this process is the `owner` of the folder. A missing folder holds none.
 *
 * @throws UserError when the folder or a leftover cannot be touched.
 */
export function sweepTemporaries(folder: string, owner = false): string[] {
  try {
    const leftovers = fs.readdirSync(folder).filter((name) => isLeftover(name, owner));
    for (const name of leftovers) fs.rmSync(join(folder, name), { force: true });
    return leftovers;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw fileError('clean up', folder, error);
  }
}

/** After a failure: the first error is the one to report. */
function removeQuietly(path: string): void {
  try {
    fs.rmSync(path, { force: true });
  } catch {
    // What cannot be removed now, a sweep removes later.
  }
}

function isLeftover(name: string, owner: boolean): boolean {
  const [, pid, thread] = TEMPORARY.exec(name) ?? [];
  if (pid === undefined) return false;
  // What this thread is not writing comes from an earlier namesake.
  if (Number(pid) === process.pid) return Number(thread) === threadId && !unfinished.has(name);
  return owner || !isRunning(Number(pid));
}

function chunksOf(data: string | Uint8Array | Iterable<Uint8Array>): Iterable<Uint8Array> {
  if (typeof data === 'string') return [Buffer.from(data)];
  return data instanceof Uint8Array ? [data] : data;
}

/** Makes the rename itself survive a power cut. Windows and some file systems cannot flush folders: they go without. */
function flushFolder(folder: string): void {
  try {
    const handle = fs.openSync(folder, 'r');
    try {
      fs.fsyncSync(handle);
    } finally {
      fs.closeSync(handle);
    }
  } catch (error) {
    if (!['EISDIR', 'EINVAL', 'EPERM', 'EACCES', 'ENOTSUP'].includes(systemCode(error) ?? '')) throw error;
  }
}
