/**
 * Opens regular files and nothing else. A FIFO would keep its reader waiting, a device never ends, and both can lie
 * where a file is expected; files that grow beyond what they can hold are refused before they are read.
 */

import fs from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { UserError } from '../base/errors.ts';
import { decodeText } from '../base/text.ts';
import { fileError } from './file-errors.ts';
import { readFully } from './full-io.ts';

const MIB = 2 ** 20;
/** Settings, prompts and lists are smaller than this. */
export const MOST_TEXT = 256 * MIB;

/** Opening a FIFO for reading then returns at once; for files it changes nothing. Windows has neither. */
const READ = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0);

/**
 * Open a regular file for reading, through links.
 * @returns its descriptor, which the caller closes.
 * @throws UserError, one line, if it is missing, not a regular file, larger than `most` bytes, or refused by the
 * system.
 */
export function openRegular(file: string | Buffer, most = Number.POSITIVE_INFINITY): number {
  try {
    requireRegular(file, fs.statSync(file));
    // Something else may take its place in between: the open file is looked at, too.
    return openWith(file, READ, undefined, most);
  } catch (error) {
    throw error instanceof UserError ? error : fileError('read', nameOf(file), error);
  }
}

/**
 * Open a regular file with flags of `fs.constants`, and with permissions if it is made. Anything else is closed again.
 * @throws UserError for what is not a regular file, or is larger than `most` bytes; what the system refuses as it is.
 */
export function openWith(file: string | Buffer, flags: number, mode?: number, most = Number.POSITIVE_INFINITY): number {
  const descriptor = fs.openSync(file, flags, mode);
  try {
    const stats = fs.fstatSync(descriptor);
    requireRegular(file, stats);
    refuseLarge(nameOf(file), stats.size, most);
    return descriptor;
  } catch (error) {
    fs.closeSync(descriptor);
    throw error;
  }
}

/** `openRegular`, asynchronous; the caller closes the handle. */
export async function openRegularHandle(file: string | Buffer): Promise<FileHandle> {
  try {
    requireRegular(file, await stat(file));
    const handle = await open(file, READ);
    try {
      requireRegular(file, await handle.stat());
    } catch (error) {
      await handle.close();
      throw error;
    }
    return handle;
  } catch (error) {
    throw error instanceof UserError ? error : fileError('read', nameOf(file), error);
  }
}

/**
 * The bytes of a regular file of at most `most` bytes.
 * @throws UserError as `openRegular` does.
 */
export function readRegular(file: string, most = Number.POSITIVE_INFINITY): Buffer {
  const descriptor = openRegular(file, most);
  try {
    return fs.readFileSync(descriptor);
  } catch (error) {
    throw fileError('read', file, error);
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * The text of a regular file, UTF-8 or UTF-16, without its byte order mark.
 * @throws UserError as `readRegular` does, and for bytes that are no text.
 */
export const readText = (file: string, most = MOST_TEXT): string => decodeText(readRegular(file, most), file);

/**
 * The last bytes of a regular file, as UTF-8 text: at most `most` of them, so that its first line may be cut.
 * @throws UserError as `openRegular` does.
 */
export function readTail(file: string, most: number): { readonly text: string; readonly isCut: boolean } {
  const descriptor = openRegular(file);
  try {
    const { size } = fs.fstatSync(descriptor);
    const bytes = Buffer.alloc(Math.min(size, most));
    const got = readFully(descriptor, bytes, size - bytes.length);
    return { text: bytes.toString('utf8', 0, got), isCut: size > most };
  } catch (error) {
    throw fileError('read', file, error);
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * Add text at the end of a regular file, which is made if it is not there.
 * @throws UserError as `openRegular` does: a FIFO is not waited for.
 */
export function appendRegular(file: string, text: string): void {
  const { O_WRONLY, O_APPEND, O_CREAT } = fs.constants;
  try {
    const descriptor = openWith(file, O_WRONLY | O_APPEND | O_CREAT | (fs.constants.O_NONBLOCK ?? 0), 0o666);
    try {
      fs.writeFileSync(descriptor, text);
    } finally {
      fs.closeSync(descriptor);
    }
  } catch (error) {
    throw error instanceof UserError ? error : fileError('write', file, error);
  }
}

/** @throws UserError naming the kind of file, if it is not a regular one. */
export function requireRegular(file: string | Buffer, stats: fs.Stats): void {
  if (!stats.isFile()) throw new UserError(`${nameOf(file)} is ${kindOf(stats)}, not a file: give a regular file`);
}

function refuseLarge(file: string, size: number, most: number): void {
  if (size > most)
    throw new UserError(
      `${file} is ${(size / MIB).toFixed(0)} MiB, more than the ${(most / MIB).toFixed(0)} MiB that such a file may have: check what it is`,
    );
}

/** The kind of file at a path, in words. */
export function kindOf(stats: fs.Stats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a FIFO (named pipe)';
  if (stats.isSocket()) return 'a socket';
  if (stats.isCharacterDevice() || stats.isBlockDevice()) return 'a device';
  return stats.isFile() ? 'a file' : 'something else';
}

const nameOf = (file: string | Buffer): string => (typeof file === 'string' ? file : file.toString());
