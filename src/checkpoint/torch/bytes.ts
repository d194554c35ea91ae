/**
 * Random access to the bytes of a checkpoint, and the one way in which this folder says that they are not what they
 * should be.
 */
import fs from 'node:fs';
import { UserError } from '../../base/errors.ts';
import { fileError, systemCode } from '../../files/file-errors.ts';
import { readFully } from '../../files/full-io.ts';
import { openRegular } from '../../files/regular-file.ts';

/** Bytes that are fetched on demand. */
export interface ByteSource {
  /** Names the file in messages. */
  readonly label: string;
  readonly size: number;
  /** A fresh copy of the bytes in [begin, end), which lie within the source; any element type can be laid over it. */
  read(begin: number, end: number): Uint8Array<ArrayBuffer>;
}

/**
 * A file. It is opened for each read, so that tensors can be fetched whenever they are wanted and nothing has to be
 * closed.
 *
 * @throws UserError, here or while reading, when the file is missing, unreadable, or changes under the reader.
 */
export function fileBytes(path: string): ByteSource {
  const { size, mtimeMs, isFile } = refusals(path, () => {
    const stat = fs.statSync(path);
    return { size: stat.size, mtimeMs: stat.mtimeMs, isFile: stat.isFile() };
  });
  if (!isFile) throw new UserError(`Cannot read ${path}: it is not a file; give a checkpoint file`);
  const read = (begin: number, end: number) =>
    refusals(path, () => {
      const file = openRegular(path);
      try {
        const now = fs.fstatSync(file);
        if (now.size !== size || now.mtimeMs !== mtimeMs) throw changed(path);
        return readRange(file, begin, end, path);
      } finally {
        fs.closeSync(file);
      }
    });
  return { label: path, size, read };
}

/** Bytes in memory, under a name for messages. */
export function memoryBytes(bytes: Uint8Array, label: string): ByteSource {
  return { label, size: bytes.length, read: (begin, end) => new Uint8Array(bytes.subarray(begin, end)) };
}

/** The error for everything that a truncated, altered or foreign file can contain. */
export function damaged(label: string, reason: string): UserError {
  return new UserError(
    `${label}: ${oneLine(reason)}; the file is damaged or not a PyTorch checkpoint: fetch or save it again`,
  );
}

/** Text of the file as it may appear in a message: printable, on one line, of bounded length. */
export function oneLine(text: string): string {
  const printable = text.replaceAll(/[^\x20-\x7e]+/g, '?');
  return printable.length > 300 ? `${printable.slice(0, 300)}...` : printable;
}

const changed = (path: string) => new UserError(`${path}: the file changed while it was read; run again`);

function readRange(file: number, begin: number, end: number, path: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(end - begin);
  if (readFully(file, bytes, begin) < bytes.length) throw changed(path);
  return bytes;
}

function refusals<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw systemCode(error) === undefined ? error : fileError('read', path, error);
  }
}
