/** SHA-256 of files of any size: `readFileSync` ends at 2 GiB. */

import type { Hash } from 'node:crypto';
import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import { fileError } from './file-errors.ts';
import { openRegular } from './regular-file.ts';

const CHUNK = 2 ** 20;

/**
 * Adds the bytes of a file to a hash, without holding them.
 * @throws UserError if the file cannot be read.
 */
export function hashFile(hash: Hash, file: string): void {
  const chunk = new Uint8Array(CHUNK);
  try {
    const descriptor = openRegular(file);
    try {
      for (let read = CHUNK; read > 0; ) {
        read = fs.readSync(descriptor, chunk);
        hash.update(chunk.subarray(0, read));
      }
    } finally {
      fs.closeSync(descriptor);
    }
  } catch (error) {
    throw error instanceof UserError ? error : fileError('read', file, error);
  }
}
