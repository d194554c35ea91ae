/**
 * A model to give away: of a run directory only what generates, in a folder of its own that depends on nothing around
 * it.
 */

import fs from 'node:fs';
import path from 'node:path';
import { readMetadata } from '../checkpoint/safetensors.ts';
import { copyAsFloat16, copyWithTexts } from '../checkpoint/safetensors-copies.ts';
import { hashTensors } from '../checkpoint/safetensors-hashes.ts';
import { CLIP_WEIGHTS } from '../embedding/compact/compact-files.ts';
import { hasCompactWeights } from '../embedding/compact/knowledge.ts';
import { hashClip, neededFiles } from '../embedding/sources/clip-files.ts';
import { resolveClip } from '../embedding/sources/clip-source.ts';
import { makeFolder, writeFileAtomic } from '../files/atomic.ts';
import { assertFreeFolder, makeWholeFolder } from '../files/new-folder.ts';
import { modelCard } from './card.ts';
import { type CardOptions, cardFacts } from './card-facts.ts';
import { RunDirectory } from './directory.ts';
import { checkMadeFrom } from './lineage.ts';
import { modelspecTexts } from './modelspec.ts';
import { madeFromOf, madeFromTexts } from './provenance.ts';
import { statisticsFile } from './statistics.ts';

/** What an exported model names in the place of its pictures. */
export const NO_DATA = 'none';

export interface ExportOptions extends CardOptions {
  /** Where the run's CLIP lies now, if it was moved. */
  readonly clip?: string | undefined;
  /** Keep weights with 16 bits: the model is half as large, and its pictures differ a little from the run's. */
  readonly float16?: boolean | undefined;
}

export interface ExportedModel {
  readonly folder: string;
  readonly bytes: number;
  /** The hub name of its CLIP, where that is not in the folder. */
  readonly hubClip: string | undefined;
}

/**
 * Copy a run's weights, its recipe and its CLIP into a new folder: no pictures, caches, checkpoints or paths. A CLIP of
 * the hub stays where it is and is named; the diffusion model says which one it was trained with. Model files say by
 * modelspec what they are, and README.md is a model card.
 * @throws UserError if the run has not been trained, its files do not belong together, the place is taken, or the disk
 * refuses.
 */
export async function exportModel(
  run: RunDirectory,
  folder: string,
  { clip, title, license, float16 = false }: ExportOptions = {},
): Promise<ExportedModel> {
  assertFreeFolder(folder, 'the model');
  const stage = run.denoiserStage;
  for (const one of ['tokenizer', stage] as const) run.readModel(one);
  const { seed, recipe, clip: own } = run.settings;
  const source = await resolveClip(clip ?? (own === 'compact' ? run.clipFolder : own));
  checkMadeFrom(run, stage, hashClip(source));
  const isHub = own !== 'compact' && clip === undefined && path.resolve(own) !== source.folder;

  const facts = cardFacts(run, { title: title ?? path.basename(path.resolve(folder)), license });

  await makeWholeFolder(folder, async (building) => {
    const made = RunDirectory.create(building, { seed, recipe, data: NO_DATA, clip: isHub ? own : 'compact' });
    const put = float16 ? copyAsFloat16 : copy;
    for (const one of ['tokenizer', stage] as const) {
      const to = made.file(one, 'model.safetensors');
      const from = float16 ? `${to}.tmp` : run.file(one, 'model.safetensors');
      if (float16) await copyAsFloat16(run.file(one, 'model.safetensors'), from);
      const part = one === 'tokenizer' ? 'tokenizer' : 'denoiser';
      const spec = modelspecTexts({ part, title: facts.title, license, recipe, hash: hashTensors(from) });
      // A denoiser names the tokenizer that it belongs to, which with other numbers is another one.
      const madeFrom = part === 'denoiser' ? madeFromOf(readMetadata(from)) : undefined;
      const belongs = madeFrom?.tokenizer !== undefined && { ...madeFrom, tokenizer: made.stageHash('tokenizer') };
      await copyWithTexts(from, to, { ...spec, ...(belongs && madeFromTexts(belongs)) });
      if (float16) fs.rmSync(from);
    }
    // Corrections of prompts need what the pictures were like.
    if (fs.existsSync(statisticsFile(run))) await put(statisticsFile(run), statisticsFile(made));
    writeFileAtomic(made.file('README.md'), modelCard(facts));
    if (!isHub)
      for (const name of neededFiles(source)) copy(path.join(source.folder, name), path.join(made.clipFolder, name));
    if (!isHub && hasCompactWeights(source.folder))
      await put(path.join(source.folder, CLIP_WEIGHTS), path.join(made.clipFolder, CLIP_WEIGHTS));
    for (const sub of fs.readdirSync(building))
      if (isEmpty(path.join(building, sub))) fs.rmdirSync(path.join(building, sub));
  });
  return { folder, bytes: bytesIn(folder), hubClip: isHub ? own : undefined };
}

function copy(from: string, to: string): void {
  makeFolder(path.dirname(to));
  fs.copyFileSync(from, to);
  const file = fs.openSync(to, 'r+');
  fs.fsyncSync(file);
  fs.closeSync(file);
}

const isEmpty = (folder: string): boolean => fs.statSync(folder).isDirectory() && fs.readdirSync(folder).length === 0;

const bytesIn = (folder: string): number =>
  fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .reduce((sum, name) => sum + fs.statSync(path.join(folder, name)).size, 0);
