/** The weights that a stage starts from, where its run goes on from another model: copies in the run directory. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { NDArray } from '../base/ndarray.ts';
import { readSafetensors } from '../checkpoint/safetensors.ts';
import { hashFile } from '../files/hash-file.ts';

/** Weights that a stage starts from. */
export interface Origin {
  readonly file: string;
  /** Identity of the weights. */
  readonly id: string;
  /** @throws UserError if the file is damaged. */
  read(): Readonly<Record<string, NDArray>>;
}

/** Where a run keeps the weights that a part of its model starts from: the folder, and the file of a part. */
export const originFolder = (run: string): string => path.join(run, 'origin');
/** The file with the weights that a part of a model has started from. */
export const originFile = (run: string, part: string): string => path.join(originFolder(run), `${part}.safetensors`);

/**
 * What a part of a run's model starts from, if it does not start from nothing. Its id is the file's SHA-256, 16 hex
 * digits.
 */
export function originOf(run: { readonly path: string }, part: string): Origin | undefined {
  const file = originFile(run.path, part);
  if (!fs.existsSync(file)) return undefined;
  const hash = createHash('sha256');
  hashFile(hash, file);
  return { file, id: hash.digest('hex').slice(0, 16), read: () => readSafetensors(file).tensors };
}
