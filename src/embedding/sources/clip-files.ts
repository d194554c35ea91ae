/**
 * The files of a dual encoder in the layout of @huggingface/transformers: which of several versions to take, and what
 * identifies it.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import { fileError } from '../../files/file-errors.ts';
import { hashFile } from '../../files/hash-file.ts';

/** Files that every model needs. */
const COMMON = ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json'] as const;
/** Files that are used where they exist. */
const OPTIONAL = ['processor_config.json'] as const;

/** Needed files as messages name them. */
export const LAYOUT = `${COMMON.join(', ')}, onnx/text_model.onnx and onnx/vision_model.onnx`;

/** Precisions by the ending of their files, the best first. */
const PRECISIONS = [
  { dtype: 'fp32', ending: '' },
  { dtype: 'fp16', ending: '_fp16' },
  { dtype: 'q8', ending: '_quantized' },
] as const;

/** The precisions that networks are published in, by the names that the library has for them. */
export type Precision = (typeof PRECISIONS)[number]['dtype'];

/** The networks: one for each side, or one that takes pictures and texts at once. */
export interface Networks {
  readonly kind: 'towers' | 'joint';
  readonly dtype: Precision;
  readonly files: readonly string[];
}

/**
 * The networks among the files of a model, or undefined if there are none. Towers are preferred, and full precision.
 */
export function networksAmong(files: readonly string[]): Networks | undefined {
  const has = (name: string) => files.includes(name);
  for (const { dtype, ending } of PRECISIONS) {
    const towers = ['text_model', 'vision_model'].map((name) => `onnx/${name}${ending}.onnx`);
    if (towers.every(has)) return { kind: 'towers', dtype, files: towers };
    const joint = `onnx/model${ending}.onnx`;
    if (has(joint)) return { kind: 'joint', dtype, files: [joint] };
  }
  return undefined;
}

/**
 * All files to have of a model, with weights that are kept beside their networks; or, as a verb and object, what is
 * missing.
 */
export function chooseFiles(files: readonly string[]): readonly string[] | string {
  const missing = COMMON.find((name) => !files.includes(name));
  if (missing !== undefined) return `lacks ${missing}`;
  const networks = networksAmong(files);
  if (!networks) return 'lacks onnx/text_model.onnx and onnx/vision_model.onnx';
  const beside = networks.files.flatMap((name) => files.filter((file) => file.startsWith(`${name}_data`)));
  return [...COMMON, ...OPTIONAL.filter((name) => files.includes(name)), ...networks.files, ...beside];
}

/** A CLIP on the disk. */
export interface ClipSource {
  /** As the user names it. */
  readonly model: string;
  /** Absolute. */
  readonly folder: string;
  readonly networks: Networks;
}

/** Paths of the files that matter, relative to the folder. */
export function filesIn(folder: string): string[] {
  const list = (sub: string) => {
    try {
      return fs.readdirSync(path.join(folder, sub)).map((name) => (sub === '' ? name : `${sub}/${name}`));
    } catch {
      return [];
    }
  };
  return [...list(''), ...list('onnx')];
}

/** The files that a CLIP needs, relative to its folder. */
export const neededFiles = ({ folder }: Pick<ClipSource, 'folder'>): readonly string[] => {
  const chosen = chooseFiles(filesIn(folder));
  if (typeof chosen === 'string') throw new UserError(`${folder} is not a CLIP: it ${chosen}`);
  return chosen;
};

/** Identity of a CLIP: SHA-256 over its files, 16 hex digits. Equal files in another place have the same identity. */
export function hashClip({ folder }: ClipSource): string {
  const hash = createHash('sha256');
  try {
    for (const name of neededFiles({ folder })) {
      hash.update(`${name}\0`);
      hashFile(hash, path.join(folder, name));
    }
  } catch (error) {
    throw error instanceof UserError ? error : fileError('read', folder, error);
  }
  return hash.digest('hex').slice(0, 16);
}
