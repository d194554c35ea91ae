/** `run.json`: what a run was started with, and where its pictures and its CLIP lie. */

import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { UserError } from '../base/errors.ts';
import { readText } from '../files/regular-file.ts';
import { parseRecipe } from '../recipe/recipe.ts';
import type { RunSettings } from '../stage/context.ts';

/** The name of the file in a run directory. */
export const SETTINGS_FILE = 'run.json';
/** The format that files of a run name, and its version. */
export const RUN_FORMAT = 'clip-vqdiffusion run';
/** The version of the format of run directories. */
export const RUN_VERSION = 1;
/** No settings fill more, in bytes. */
const MOST_SETTINGS = 2 ** 24;

const schema = z.object({
  format: z.literal(RUN_FORMAT),
  version: z.number(),
  seed: z.int().min(0),
  data: z.string(),
  clip: z.string(),
  recipe: z.unknown(),
  relative: z.object({ data: z.string().optional(), clip: z.string().optional() }).optional(),
  fullSteps: z.record(z.string(), z.int()).optional(),
  lengthened: z.array(z.string()).optional(),
});

/**
 * The settings of the run in a folder. Where run and pictures were moved together, the places of pictures and CLIP are
 * those of now.
 * @throws UserError if the file is damaged, foreign or of another version.
 */
export function readSettings(folder: string): RunSettings {
  const file = path.join(folder, SETTINGS_FILE);
  const parsed = schema.safeParse(readJson(file));
  if (!parsed.success)
    throw new UserError(
      `${file} does not describe a run: ${parsed.error.issues[0]?.path.join('.')}: ${parsed.error.issues[0]?.message}`,
    );
  const { version, seed, recipe, fullSteps, lengthened, relative } = parsed.data;
  if (version !== RUN_VERSION)
    throw new UserError(`${folder} is of format version ${version}; this program reads version ${RUN_VERSION}`);
  const data = placeNow(folder, parsed.data.data, relative?.data);
  const clip = placeNow(folder, parsed.data.clip, relative?.clip);
  const settings = { seed, data, clip, recipe: parseRecipe(recipe, file) };
  return { ...settings, ...(fullSteps && { fullSteps }), ...(lengthened && { lengthened }) };
}

/** What the file of a run in `folder` holds. */
export function settingsText(folder: string, settings: RunSettings): string {
  const relative = relativePlaces(folder, settings);
  return jsonText({ format: RUN_FORMAT, version: RUN_VERSION, ...settings, ...(relative && { relative }) });
}

/** A value as files of a run hold it. */
export const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** The way from a run to its pictures and its CLIP, so that all of them can be moved together. */
function relativePlaces(folder: string, { data, clip }: RunSettings): { data?: string; clip?: string } | undefined {
  const way = (place: string) => (path.isAbsolute(place) ? path.relative(path.resolve(folder), place) : undefined);
  const [toData, toClip] = [way(data), way(clip)];
  if (toData === undefined && toClip === undefined) return undefined;
  return { ...(toData !== undefined && { data: toData }), ...(toClip !== undefined && { clip: toClip }) };
}

/** Where something lies that a run names by its full path: there, or where it lay as seen from the run. */
function placeNow(folder: string, place: string, relative: string | undefined): string {
  if (relative === undefined || !path.isAbsolute(place) || fs.existsSync(place)) return place;
  const moved = path.resolve(folder, relative);
  return fs.existsSync(moved) ? moved : place;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readText(file, MOST_SETTINGS));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserError(`${file} is not valid JSON: ${error.message}`);
    throw error;
  }
}
