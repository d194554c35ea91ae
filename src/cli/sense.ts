/** Checks against false successes: options that train nothing, too few pictures, models that know nothing. */

import { UserError } from '../base/errors.ts';
import { hasPairs } from '../data/sources/pairs.ts';
import { SHIPPED } from '../embedding/sources/shipped.ts';
import type { RunDirectory, RunSettings } from '../run/directory.ts';
import type { StageName } from '../training/stages.ts';

/** Pictures below which a model does little but repeat them. */
const FEW_PICTURES = 100;

/**
 * A stage of the CLIP alone needs captioned pictures and no other CLIP.
 * @throws UserError where `--stage clip` would train nothing.
 */
export function checkClipStage(stage: StageName | 'all', { clip, data }: Pick<RunSettings, 'clip' | 'data'>): void {
  if (stage !== 'clip') return;
  const pairs =
    'captioned pictures come from a .jsonl file, one {"image": "path", "text": "…"} a line, or from --data faces';
  if (!hasPairs(data))
    throw new UserError(`--stage clip trains a CLIP on captions, which ${data} does not have: ${pairs}`);
  if (clip !== 'compact')
    throw new UserError(
      `--stage clip trains a new CLIP, and this run has ${clip}: leave --clip out to train one, or --stage out`,
    );
}

/**
 * What should be known before a run learns from so few pictures; undefined if there are enough.
 * @throws UserError if there is one only.
 */
export function fewPictures(count: number): string | undefined {
  if (count < 2)
    throw new UserError(`One picture is too few: a model of it would only repeat it; give a folder of hundreds`);
  if (count >= FEW_PICTURES) return undefined;
  return `${count} pictures are few: a model of them repeats them and little else; hundreds make a difference, thousands are good (--set pictures.flip=true doubles them)`;
}

/** @throws UserError if a folder holds a run that no demo made: a demo would write into it. */
export function checkDemo({ path, settings: { data, clip, recipe } }: RunDirectory): void {
  if (data === 'faces' && clip === SHIPPED && recipe.preset === 'demo') return;
  throw new UserError(`${path} holds a run on ${data}, and no demo: choose another folder with --out`);
}
