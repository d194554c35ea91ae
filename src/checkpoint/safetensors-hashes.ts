/** What identifies a safetensors file: hashes of all of it, or of a part. */

import { createHash, type Hash } from 'node:crypto';
import { unlessRefused } from '../base/errors.ts';
import { openByteSource, piecesFrom } from './file-source.ts';
import { encodeEntries, type PlacedHeader, readHeader } from './safetensors-bytes.ts';

/**
 * SHA-256, in hex, of what comes after a file's header: of its tensors alone. @throws UserError if it cannot be read.
 */
export function hashTensors(path: string): string {
  using source = openByteSource(path);
  const hash = createHash('sha256');
  for (const piece of piecesFrom(source, readHeader(source, path).end)) hash.update(piece);
  return hash.digest('hex');
}

/**
 * The bytes of a file as they would be without some of its texts, added to a hash. A file that is no safetensors file,
 * or has none of them, is hashed as it is.
 *
 * @param without the names of these texts.
 * @throws UserError if it cannot be read.
 */
export function hashWithoutTexts(hash: Hash, path: string, without: readonly string[]): void {
  using source = openByteSource(path);
  const header = unlessRefused(() => readHeader(source, path));
  const front = header && frontWithout(header, without);
  if (front) hash.update(front);
  for (const piece of piecesFrom(source, front ? header.end : 0)) hash.update(piece);
}

/** Length and header of a file without some of its texts; undefined if it has none of them. */
export function frontWithout({ entries, metadata }: PlacedHeader, without: readonly string[]): Uint8Array | undefined {
  if (without.every((key) => !(key in metadata))) return undefined;
  const kept = Object.entries(metadata).filter(([key]) => !without.includes(key));
  return encodeEntries(entries, Object.fromEntries(kept));
}
