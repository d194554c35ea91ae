/** What a page needs of a run, gathered from its files. */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { float32, type NDArray } from '../base/ndarray.ts';
import { recordIn } from '../base/record.ts';
import { readSafetensors } from '../checkpoint/safetensors.ts';
import { Bpe, type Merge } from '../embedding/compact/bpe.ts';
import { ROWS } from '../embedding/compact/compact-files.ts';
import { mergesOf } from '../embedding/compact/tokenizer-files.ts';
import { hashClip } from '../embedding/sources/clip-files.ts';
import { resolveClip } from '../embedding/sources/clip-source.ts';
import { packageVersion } from '../files/own-package.ts';
import { readText } from '../files/regular-file.ts';
import type { RunDirectory } from '../run/directory.ts';
import { checkMadeFrom } from '../run/lineage.ts';
import { readStatistics } from '../run/statistics.ts';
import type { PageModel, Precision } from '../web/page-model.ts';
import { ROWS as PAGE_ROWS } from '../web/text-tower.ts';
import { contextOf } from './text-context.ts';

const version = packageVersion();

export interface PageOptions {
  /** What the page is called; the name of the run's folder by default. */
  readonly title?: string | undefined;
  readonly precision: Precision;
  /** Where the run's CLIP lies now, if it was moved. */
  readonly clip?: string | undefined;
}

type Flat = Readonly<Record<string, NDArray>>;

/** Parameters of the tokenizer that only turn pictures into codes: a page decodes. */
const ENCODER = /^(encoder|quant_conv|quantize\.proj)\./;

/**
 * The model of a run for a page.
 * @throws UserError if the run is not trained, its files do not belong together, or its CLIP is none that a page can
 * carry.
 */
export async function pageModelOf(run: RunDirectory, { title, precision, clip }: PageOptions): Promise<PageModel> {
  const { recipe, seed, clip: own } = run.settings;
  const stage = run.denoiserStage;
  const [tokenizer, denoiser] = [run.readModel('tokenizer').tensors, run.readModel(stage).tensors];
  const folder = await clipFolderOf(run, clip ?? own);
  checkMadeFrom(run, stage, hashClip(await resolveClip(folder)));
  const { merges, context, text } = textTowerOf(folder);
  return {
    title: title ?? path.basename(path.resolve(run.path)),
    recipe,
    seed,
    hash: run.modelHash(),
    version,
    precision,
    context,
    merges,
    parts: {
      decoder: Object.fromEntries(Object.entries(tokenizer).filter(([name]) => !ENCODER.test(name))),
      denoiser,
      text,
      statistics: statisticsOf(run, text['projection.weight']!.shape[0]!),
    },
  };
}

/** The folder of a run's CLIP. A page carries what this program has trained: others are not fetched for it. */
async function clipFolderOf(run: RunDirectory, clip: string): Promise<string> {
  if (clip === 'compact') return run.clipFolder;
  const isFolder = fs.existsSync(clip) || clip === 'shipped';
  const folder = isFolder ? (await resolveClip(clip)).folder : undefined;
  if (folder === undefined || !fs.existsSync(path.join(folder, 'model.safetensors')))
    throw new UserError(
      `${run.path} is driven by the CLIP ${clip}, which is too large for a page: only a compact CLIP can be carried (train with the CLIP compact or shipped)`,
    );
  return folder;
}

function textTowerOf(folder: string): { merges: readonly Merge[]; context: number; text: Flat } {
  const file = path.join(folder, 'model.safetensors');
  const { tensors } = readSafetensors(file);
  const { [ROWS]: rows, ...others } = tensors;
  const text = Object.fromEntries(
    Object.entries(others)
      .filter(([name]) => name.startsWith('text.'))
      .map(([name, array]) => [name.slice('text.'.length), array]),
  );
  const { merges, vocabulary } = readMerges(path.join(folder, 'tokenizer.json'));
  const context = contextOf(folder);
  const isOurs = new Bpe(merges).tokens.every((token, id) => vocabulary[token] === id);
  if (!rows || !text['projection.weight'] || !isOurs || context === undefined)
    throw new UserError(`${folder} holds no compact CLIP of this program: only one can be carried by a page`);
  return { merges, context, text: { ...text, [PAGE_ROWS]: rows } };
}

function readMerges(file: string): { merges: readonly Merge[]; vocabulary: Readonly<Record<string, unknown>> } {
  const tokenizer: unknown = JSON.parse(readText(file));
  const vocabulary = (recordIn(recordIn(tokenizer, 'model'), 'vocab') ?? {}) as Readonly<Record<string, unknown>>;
  return { merges: mergesOf(tokenizer), vocabulary };
}

/** What the model's own correction of prompts reads, and no more. */
function statisticsOf(run: RunDirectory, dim: number): Flat {
  const { correction } = run.settings.recipe.sampling;
  if (correction === 'none') return {};
  const { images, texts, anchors } = readStatistics(run, correction, dim);
  const rows = { 'images.mean': images.mean, 'texts.mean': texts.mean };
  const deviations = { 'images.deviation': images.deviation, 'texts.deviation': texts.deviation };
  const needed = { ...rows, ...(correction === 'standardised' && deviations) };
  return {
    ...Object.fromEntries(Object.entries(needed).map(([name, row]) => [name, float32(row, [dim])])),
    ...((correction === 'shrink' || correction === 'neighbour') && {
      anchors: float32(anchors, [anchors.length / dim, dim]),
    }),
  };
}
