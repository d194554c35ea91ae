/** What the operating system refused, as one line a user can act on. */
import os from 'node:os';
import { messageOf, UserError } from '../base/errors.ts';

const CAUSES: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder; check the path',
  ENOTDIR: 'a part of the path is a file, not a folder; check the path',
  EEXIST: 'a file of that name is there; give another path',
  EISDIR: 'this is a folder; give a file',
  EACCES: 'permission denied; change the permissions or give another path',
  EPERM: 'not permitted; change the permissions or give another path',
  EROFS: 'the file system is read-only; give another path',
  ENOSPC: 'no space left on the disk; free some and run again',
  EDQUOT: 'the disk quota is used up; free some and run again',
  EFBIG: 'the file is too large for this file system or limit; give another path',
  ENAMETOOLONG: 'the name is too long; give a shorter one',
  EMFILE: 'too many files are open; close some, or allow more with ulimit -n, and run again',
  ENFILE: 'too many files are open on this machine; close some and run again',
  EIO: 'the disk reports an error; check it, or copy the file to another one',
  ELOOP: 'symbolic links that lead in a circle; check the path',
  ESTALE: 'the network drive has lost this file; mount it again',
  EBUSY: 'it is in use by another program; close that and run again',
  ETXTBSY: 'it is in use by another program; close that and run again',
  EINVAL: 'the file system does not allow it; give another path',
  ENXIO: 'this is not a file; give a regular file',
  ENODEV: 'this is not a file; give a regular file',
};

/** Errors that Node reports by their number only ("Unknown system error -122"). */
const UNNAMED: Readonly<Record<number, string>> = {
  [os.constants.errno.EDQUOT]: 'EDQUOT',
  [os.constants.errno.ESTALE]: 'ESTALE',
};

/** The `code` of an error of the operating system ("ENOENT"), or undefined for anything else. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return undefined;
  const named = 'errno' in error && typeof error.errno === 'number' ? UNNAMED[-error.errno] : undefined;
  return named ?? (typeof error.code === 'string' ? error.code : undefined);
}

/** "Cannot read PATH: cause; remedy" for a failed file operation. `action` is what was tried: "read", "write". */
export function fileError(action: string, path: string, error: unknown): UserError {
  const cause = CAUSES[systemCode(error) ?? ''] ?? messageOf(error).replaceAll(/\s+/g, ' ');
  return new UserError(`Cannot ${action} ${path}: ${cause}`, { cause: error });
}
