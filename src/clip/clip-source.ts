/** Where a CLIP comes from, a folder on this machine or a name on the Hugging Face hub, and what identifies it. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { cacheFolder } from '../checkpoint/cache-folder.ts';
import { fileError } from '../checkpoint/file-errors.ts';
import { UserError } from '../errors.ts';

/** The files of a dual encoder in the layout of @huggingface/transformers. */
const CLIP_FILES = [
  'config.json',
  'preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'onnx/text_model.onnx',
  'onnx/vision_model.onnx',
] as const;

export interface ClipSource {
  readonly kind: 'folder' | 'hub';
  /** What the library is asked for: an absolute path, or `owner/name`. */
  readonly model: string;
  /** Where the files lie once they are loaded. */
  readonly folder: string;
}

/**
 * Tell a folder from a hub name: what exists as a folder is one, and so is everything that is not of the form `owner/name`.
 * @throws UserError if the folder does not exist or lacks a file.
 */
export function resolveClip(model: string, cacheDir: string = cacheFolder()): ClipSource {
  const isFolder = fs.existsSync(model) || !/^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(model);
  if (!isFolder) return { kind: 'hub', model, folder: path.join(path.resolve(cacheDir), model) };
  if (!fs.existsSync(model)) {
    throw new UserError(
      `there is no CLIP in ${model}: give a folder exported by clipvq train, or a hub name (owner/name)`,
    );
  }
  const missing = CLIP_FILES.find((name) => !fs.existsSync(path.join(model, name)));
  if (missing !== undefined) {
    throw new UserError(`${model} is not a CLIP: it lacks ${missing}; train it again or give another folder`);
  }
  const folder = path.resolve(model);
  return { kind: 'folder', model: folder, folder };
}

/** Identity of a CLIP: SHA-256 over its files, 16 hex digits. Equal files in another place have the same identity. */
export function hashClip({ folder }: ClipSource): string {
  const hash = createHash('sha256');
  try {
    for (const name of CLIP_FILES) {
      hash.update(`${name}\0`);
      hash.update(fs.readFileSync(path.join(folder, name)));
    }
  } catch (error) {
    throw fileError('read', folder, error);
  }
  return hash.digest('hex').slice(0, 16);
}
