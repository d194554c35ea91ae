/** Where a run's perceptual distance comes from: its compact CLIP, or LPIPS. */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import { openTowerDistance, type TowerDistance } from '../clip/tower-distance.ts';
import { SHIPPED, shippedClip } from '../embedding/sources/shipped.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { RunFiles, StageContext } from '../stage/context.ts';
import { loadLpips } from './lpips-weights.ts';
import { lpipsDistance, type PerceptualDistance } from './perceptual.ts';

/** Whether a recipe compares pictures in the features of a compact CLIP. */
export const usesCompactClip = ({ tokenizer }: Pick<Recipe, 'tokenizer'>): boolean =>
  tokenizer.perceptualNet === 'clip' && tokenizer.perceptualWeight > 0;

/**
 * The distance in the features of the run's compact CLIP, if the recipe names it and the run has one.
 * @throws UserError if that CLIP is still to be trained.
 */
export function compactClipDistance(run: RunFiles): TowerDistance | undefined {
  const { clip, recipe } = run.settings;
  if (!usesCompactClip(recipe)) return undefined;
  if (clip === 'compact' && !run.hasModel('clip'))
    throw new UserError(
      `${run.path} holds no trained CLIP, through which its tokenizer compares pictures: train it first with ${option('stages', 'clip')}`,
    );
  const folder = clip === 'compact' ? run.clipFolder : clip === SHIPPED ? shippedClip() : clip;
  if (!fs.existsSync(path.join(folder, 'model.safetensors'))) return undefined;
  try {
    return openTowerDistance(folder);
  } catch (error) {
    // Another kind of CLIP has no such tower: the distance is that of `lpipsOf`.
    if (clip !== 'compact' && error instanceof UserError) return undefined;
    throw error;
  }
}

/**
 * LPIPS. Weights in a folder that the user names must be there; where they are to come from the cache and cannot be
 * had, training goes on without LPIPS, with a note.
 */
export async function lpipsOf({
  run,
  lpips: source,
  signal,
  display,
}: StageContext): Promise<PerceptualDistance | undefined> {
  const { perceptualNet } = run.settings.recipe.tokenizer;
  if (perceptualNet === 'clip') {
    display.note(
      'Training without the perceptual distance: it compares features of a compact CLIP, and this run has another.',
    );
    return undefined;
  }
  try {
    const onProgress = display.count('fetching LPIPS');
    return lpipsDistance(await loadLpips(perceptualNet, { ...source, signal, onProgress }));
  } catch (error) {
    if (!(error instanceof UserError) || source?.folder !== undefined) throw error;
    display.note(
      `Training without the perceptual distance: ${error.message}. Name a folder with the weights by ${option('lpips')}, or set tokenizer.perceptualWeight=0.`,
    );
    return undefined;
  }
}
