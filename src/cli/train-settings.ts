/** The settings of a run, out of the options of `clipvq train`. */

import { UserError } from '../base/errors.ts';
import { hasPairs, isPairsFile } from '../data/sources/pairs.ts';
import { openEmbedder } from '../embedding/embedder.ts';
import { DEFAULT_CLIP } from '../embedding/sources/default-clip.ts';
import { RunDirectory, type RunSettings } from '../run/directory.ts';
import { settingsFrom } from '../run/origin.ts';
import { holdingOut } from '../training/pictures/held-out.ts';
import type { SheetChoice } from '../training/reports/sheets.ts';
import { type StageName, stagesOf } from '../training/stages.ts';
import { absolute } from '../training/train.ts';
import { filesIn } from '../vqgan/lpips-weights.ts';
import { recipeOf } from './choose-recipe.ts';
import { facePrompts } from './face-prompts.ts';
import type { ProgressDisplay } from './progress.ts';
import { readPrompts } from './prompts.ts';
import { checkClipStage } from './sense.ts';
import type { TrainCommandOptions } from './train-options.ts';

/** The options that a resumed run takes, with absolute paths, as run directories keep them. */
export const resumeOptions = ({ stage, ...options }: TrainCommandOptions) => ({
  ...options,
  ...(stage !== 'all' && { stages: [stage] }),
  ...(options.data !== undefined && { data: absolute(options.data) }),
  ...(options.clip !== undefined && { clip: absolute(options.clip) }),
});

/** The stage that is named, or all that a run of these settings has. */
export const chosenStages = ({ stage }: Pick<TrainCommandOptions, 'stage'>, settings: RunSettings): StageName[] =>
  stage === 'all' ? stagesOf(settings) : [stage];

/**
 * @throws UserError where the folder of `--lpips` lacks the weights of the recipe's network, or the recipe uses none.
 */
export function checkLpips(folder: string, { recipe }: RunSettings): void {
  const { perceptualNet, perceptualWeight } = recipe.tokenizer;
  if (perceptualWeight === 0 || perceptualNet === 'clip')
    throw new UserError(
      `The recipe has no use for LPIPS (--lpips ${folder}): add --set tokenizer.perceptualWeight=1 --set tokenizer.perceptualNet=vgg, or leave --lpips out`,
    );
  filesIn(folder, perceptualNet);
}

/**
 * The model whose weights and settings a new run starts from.
 * @throws UserError where the options name other settings too, or the folder holds no run.
 */
export function openOrigin(from: string, { preset, recipe, resume }: TrainCommandOptions): RunDirectory {
  if (resume) throw new UserError('A resumed run keeps the weights it has started from: leave --from out');
  const other = preset !== undefined ? '--preset' : recipe !== undefined ? '--recipe' : undefined;
  if (other !== undefined)
    throw new UserError(`The settings come from ${from}: leave ${other} out; --set changes single ones`);
  return RunDirectory.open(from);
}

/**
 * The settings of a new run, by default of its pictures' kind.
 * @throws UserError where no pictures are named, or the CLIP, the stage and the pictures do not go together.
 */
export function newSettings(
  { data, preset, recipe, set, seed = 0, clip, stage }: TrainCommandOptions,
  source?: RunDirectory,
): RunSettings {
  if (data === undefined)
    throw new UserError('Name the pictures to learn from: --data <folder>, or --data faces for the built-in set');
  if (stage === 'clip') checkClipStage(stage, { data, clip: clip ?? 'compact' });
  if (source) return settingsFrom(source, { data: absolute(data), seed, clip: clip && absolute(clip), changes: set });
  const chosen = clip ?? (hasPairs(data) ? 'compact' : DEFAULT_CLIP.name);
  if (chosen === 'compact' && !hasPairs(data))
    throw new UserError(
      `A compact CLIP learns from captions, which ${data} does not have: name another with --clip <folder or hub name>`,
    );
  if (isPairsFile(data) && stage !== 'clip')
    throw new UserError(
      `${data} holds captioned pictures, which only a CLIP learns from: add --stage clip, or name the pictures alone with --data <folder>`,
    );
  const held = recipe === undefined ? holdingOut(data, set) : set;
  return { seed, data: absolute(data), clip: absolute(chosen), recipe: recipeOf({ preset, recipe, set: held }) };
}

/** Sheets for the prompts of a file, else for those of the demo where faces are learned; sparing ones by default. */
export function sheetChoice(given: string | true | undefined, { data }: RunSettings): SheetChoice | undefined {
  if (given === '0') return undefined;
  const prompts = typeof given === 'string' ? readPrompts(given) : data === 'faces' ? facePrompts : [];
  return { prompts, isSparing: given === undefined };
}

/** Width of the CLIP's embeddings; a CLIP from the hub is fetched, if it is not in the cache, and opened once. */
export async function embeddingWidth(
  { clip: model, recipe }: RunSettings,
  { offline }: TrainCommandOptions,
  signal: AbortSignal,
  display: ProgressDisplay,
): Promise<number> {
  if (model === 'compact') return recipe.clip.dim;
  const clip = await openEmbedder(model, { offline, signal, onProgress: display.fetching('the CLIP') });
  await clip.close();
  return clip.dim;
}
