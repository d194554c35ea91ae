/**
 * Statistics of the embeddings that a diffusion model was trained on, beside its weights: what corrections of prompts
 * need.
 */

import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import { float32 } from '../base/ndarray.ts';
import { readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import type { Correction, EmbeddingStatistics } from '../embedding/correction.ts';
import type { RunDirectory } from './directory.ts';

const FORMAT = 'clip-vqdiffusion embedding statistics';

/** Where they lie. */
export const statisticsFile = (run: RunDirectory): string => run.file('diffusion', 'embeddings.safetensors');

/** @param id identity of the pictures and models that the statistics are of. */
export function saveStatistics(run: RunDirectory, { images, texts, anchors }: EmbeddingStatistics, id: string): void {
  const dim = images.mean.length;
  const rows = Object.entries({
    'images.mean': images.mean,
    'images.deviation': images.deviation,
    'texts.mean': texts.mean,
    'texts.deviation': texts.deviation,
  }).map(([name, row]) => [name, float32(row, [dim])] as const);
  const tensors = { ...Object.fromEntries(rows), anchors: float32(anchors, [anchors.length / dim, dim]) };
  writeSafetensors(statisticsFile(run), tensors, { format: FORMAT, id });
}

/** Whether a run holds the statistics of these pictures and models. */
export const hasStatistics = (run: RunDirectory, id: string): boolean =>
  fs.existsSync(statisticsFile(run)) && readSafetensors(statisticsFile(run)).metadata.id === id;

/**
 * The statistics of a run whatever made them; undefined if the run has none. @throws UserError as `readStatistics`
 * does.
 */
export const statisticsIfAny = (run: RunDirectory, dim: number): EmbeddingStatistics | undefined =>
  fs.existsSync(statisticsFile(run)) ? readStatistics(run, 'none', dim) : undefined;

/**
 * What a correction other than none needs.
 * @throws UserError if the run has no statistics, or they are of embeddings of another width.
 */
export function readStatistics(run: RunDirectory, correction: Correction, dim: number): EmbeddingStatistics {
  const file = statisticsFile(run);
  if (!fs.existsSync(file))
    throw new UserError(
      `${run.path} has no statistics of embeddings, which the correction ${correction} needs: choose none, or train its diffusion model with this version`,
    );
  const { tensors, metadata } = readSafetensors(file);
  const row = (name: string): Float32Array => {
    const { data, shape } = tensors[name] ?? { data: undefined, shape: [] };
    if (metadata.format !== FORMAT || !(data instanceof Float32Array) || shape.at(-1) !== dim)
      throw new UserError(
        `${file} holds no statistics of embeddings of ${dim} numbers: remove it and choose the correction none`,
      );
    return data;
  };
  const moments = (of: string) => ({ mean: row(`${of}.mean`), deviation: row(`${of}.deviation`) });
  return { images: moments('images'), texts: moments('texts'), anchors: row('anchors') };
}
