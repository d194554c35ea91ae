/**
 * Which part of a text a compact CLIP has learned: its tokenizer encodes any text, but tokens that occurred in no
 * caption share one embedding.
 */

import fs from 'node:fs';
import path from 'node:path';
import { readMetadata, readTensorOf } from '../../checkpoint/safetensors.ts';
import { CLIP_FORMAT, CLIP_WEIGHTS, ROWS } from './compact-files.ts';

/** How much of a text a CLIP has learned. */
export interface Knowledge {
  /** Share of the text's tokens that occurred in the captions the CLIP was trained on, in [0, 1]. */
  readonly share: number;
  /** Words with a token that did not. */
  readonly unknown: readonly string[];
}

/**
 * Whether a folder holds the weights of a CLIP that this program has trained; that of other CLIPs has another format.
 */
export function hasCompactWeights(folder: string): boolean {
  const file = path.join(folder, CLIP_WEIGHTS);
  return fs.existsSync(file) && readMetadata(file).format === CLIP_FORMAT;
}

/**
 * The place of every token in the table of embeddings, of a CLIP that this program has trained; undefined for others.
 */
export function tokenRows(folder: string): Int32Array | undefined {
  const file = path.join(folder, CLIP_WEIGHTS);
  if (!fs.existsSync(file)) return undefined;
  const rows = readTensorOf(file, ROWS)?.data;
  return rows instanceof Int32Array ? rows : undefined;
}

/**
 * How much of a text a CLIP has learned.
 * @param rows the place of each token in the table of embeddings: tokens that were not learned share that of padding.
 * @param pad the token of padding, which no caption has.
 * @param encode the tokens of a text, without start and end.
 */
export function knowledgeOf(
  text: string,
  rows: Int32Array,
  pad: number,
  encode: (text: string) => readonly number[],
): Knowledge {
  const isKnown = (id: number) => rows[id] !== undefined && rows[id] !== rows[pad];
  const words = text.split(/\s+/).filter((word) => word !== '');
  const spelled = words.map((word) => encode(word));
  const tokens = spelled.flat();
  return {
    share: tokens.length === 0 ? 0 : tokens.filter(isKnown).length / tokens.length,
    unknown: words.filter((_, i) => !spelled[i]!.every(isKnown)),
  };
}
