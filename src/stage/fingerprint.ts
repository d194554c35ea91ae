/** Identity of what something is made from. */

import { createHash } from 'node:crypto';

/** SHA-256 of texts and arrays, 16 hex digits: the identity of a stage's inputs. */
export function fingerprint(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
}
