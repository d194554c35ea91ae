/** The facts of a run for its model card, read off its files; none is a path of this machine. */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { HUB_NAME } from '../embedding/sources/clip-source.ts';
import { writeFileAtomic } from '../files/atomic.ts';
import { linesOf } from '../files/lines.ts';
import { packageVersion } from '../files/own-package.ts';
import { readText } from '../files/regular-file.ts';
import { CARD_MARK, type CardFacts, modelCard } from './card.ts';
import type { RunDirectory } from './directory.ts';

const version = packageVersion();

export interface CardOptions {
  /** The name of the folder by default. */
  readonly title?: string | undefined;
  /** An SPDX identifier, such as `mit` or `cc-by-4.0`. */
  readonly license?: string | undefined;
}

/** @throws UserError unless a licence is an identifier. */
function checkLicense(license: string | undefined): void {
  if (license !== undefined && !/^[a-z0-9][a-z0-9.+-]{0,63}$/i.test(license))
    throw new UserError(
      `"${license}" is no licence identifier: give one of SPDX, such as mit, apache-2.0 or cc-by-4.0`,
    );
}

/** The facts of a trained run. @throws UserError unless the licence is an identifier. */
export function cardFacts(run: RunDirectory, { title, license }: CardOptions): CardFacts {
  checkLicense(license);
  const { recipe, seed, data, clip } = run.settings;
  return {
    title: title ?? path.basename(path.resolve(run.path)),
    license,
    recipe,
    seed,
    hash: run.modelHash(),
    data: dataInWords(data),
    pictures: countPictures(run),
    clip: clipInWords(clip),
    metrics: lastFigures(run),
    version,
  };
}

/**
 * Write the card of a run whose model is finished. A README.md that is not by this program stays.
 * @returns whether it was written.
 */
export function writeCard(run: RunDirectory, options: CardOptions = {}): boolean {
  const file = run.file('README.md');
  if (fs.existsSync(file) && !readText(file).includes(CARD_MARK)) return false;
  writeFileAtomic(file, modelCard(cardFacts(run, options)));
  return true;
}

const BUILT_IN: Readonly<Record<string, string>> = {
  faces: 'drawn faces (DiceBear avataaars), made by this program',
  'fashion-mnist': 'Fashion-MNIST',
  none: 'not named by who has given the model away',
};

function dataInWords(data: string): string {
  const builtIn = BUILT_IN[data];
  if (builtIn !== undefined) return builtIn;
  const kind = path.extname(data).toLowerCase();
  return ['.zip', '.tar', '.parquet'].includes(kind) ? `a ${kind.slice(1)} file of the owner` : 'a folder of the owner';
}

const NAMED_CLIPS: Readonly<Record<string, string>> = {
  compact: 'a compact one, trained with the model',
  shipped: 'the compact one of clip-vqdiffusion',
};

const clipInWords = (clip: string): string => NAMED_CLIPS[clip] ?? (HUB_NAME.test(clip) ? clip : 'one of the owner');

/** Pictures that the inventory of the run holds; of built-in faces the recipe says how many there are. */
function countPictures(run: RunDirectory): number | undefined {
  if (run.settings.data === 'faces') return run.settings.recipe.images;
  let count = 0;
  for (const line of linesIn(run.file('cache', 'inventory.jsonl'))) if (line.includes('"picture":')) count++;
  return count > 0 ? count : undefined;
}

/** Figures that describe a step and not the quality of the model. */
const OF_THE_STEP = new Set([
  'step',
  'seconds',
  'stateBytes',
  'activationBytes',
  'learningRate',
  'gradientNorm',
  'waiting',
]);

/** The last entry of each stage in the log. */
function lastFigures(run: RunDirectory): CardFacts['metrics'] {
  const last = new Map<string, CardFacts['metrics'][string]>();
  for (const line of linesIn(run.file('log.jsonl'))) {
    const entry = parsed(line);
    if (typeof entry.stage !== 'string' || typeof entry.step !== 'number') continue;
    const figures = Object.entries(entry).filter(
      (pair): pair is [string, number] => typeof pair[1] === 'number' && !OF_THE_STEP.has(pair[0]),
    );
    last.set(entry.stage, { step: entry.step, figures: Object.fromEntries(figures) });
  }
  return Object.fromEntries(last);
}

function parsed(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    // What a killed run left of a line.
    return {};
  }
}

/** The lines of a file; none if it is not there. */
function* linesIn(file: string): Generator<string, void> {
  if (fs.existsSync(file)) for (const { text } of linesOf(file)) yield text;
}
