/** Recipes made from presets and changes, and read from files: valid, and with settings that fit each other. */

import * as z from 'zod';
import { UserError } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import { complaintOf } from './complaint.ts';
import { presets } from './presets/index.ts';
import { refuseEmptyInterval, refuseUnfit, refuseWithoutEffect } from './rules.ts';
import { type Recipe, recipeSchema, type SamplingSettings, samplingSchema, settingSchemas } from './schema.ts';

export { type PresetName, presets } from './presets/index.ts';

/** Settings as text, by their paths: `{ 'diffusion.layers': '6' }`. */
export type RecipeChanges = Readonly<Record<string, string>>;

/**
 * A preset with changes.
 * @throws UserError naming the preset, setting or value that does not exist or does not fit.
 */
export function makeRecipe(preset: string, changes: RecipeChanges = {}): Recipe {
  const base = Object.entries(presets).find(([name]) => name === preset)?.[1];
  if (!base) throw new UserError(`There is no preset "${preset}": choose one of ${Object.keys(presets).join(', ')}`);
  return changedRecipe(base, changes);
}

/**
 * A recipe with changes, for a new run.
 * @throws UserError naming the setting or value that does not exist, does not fit, or could never be used.
 */
export function changedRecipe(base: Recipe, changes: RecipeChanges = {}): Recipe {
  const recipe = structuredClone(base) as Record<string, unknown>;
  for (const [path, text] of Object.entries(changes)) assign(recipe, path, text);
  const changed = parseRecipe(recipe, 'settings');
  refuseWithoutEffect(changed, 'settings');
  return changed;
}

/**
 * Check a recipe that was read from somewhere; settings that are not there get their defaults.
 * @param where a file, or another place that the message names.
 * @throws UserError naming the setting that does not exist, is missing, or does not fit.
 */
export function parseRecipe(value: unknown, where: string): Recipe {
  const result = recipeSchema.safeParse(value);
  if (result.success) {
    refuseUnfit(result.data, where);
    return result.data;
  }
  throw new UserError(`${where}: ${complaint(result.error.issues[0]!)}`);
}

/**
 * Check sampling settings that do not come from a recipe alone.
 * @throws UserError naming the setting that is out of its range.
 */
export function checkSampling(value: SamplingSettings, where: string): void {
  const issue = samplingSchema.safeParse(value).error?.issues[0];
  if (issue) throw new UserError(`${where}.${complaint(issue)}`);
  refuseEmptyInterval(value, where);
}

/** The paths of all settings. */
const settingPaths = (): string[] => [...settingSchemas.keys()];

/** An issue of the schema in one line. */
function complaint(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') return unknownSetting([...issue.path, issue.keys[0]!].join('.'));
  return `${path || 'the recipe'}: ${complaintOf(issue)}`;
}

function unknownSetting(path: string): string {
  const meant = meantBy(path);
  return `There is no setting "${shown(path)}"${meant ? `: did you mean ${meant}?` : ''}`;
}

/** Names from files may be of any length and hold anything. */
const shown = (name: string): string => {
  const printable = name.replace(/\p{C}/gu, '?');
  return printable.length > 60 ? `${printable.slice(0, 60)}…` : printable;
};

/**
 * The setting that a path may have meant: the nearest path, or one whose last part is near, where its section was left
 * out.
 */
function meantBy(path: string): string | undefined {
  const paths = settingPaths();
  const near = nearest(path, paths);
  if (near || path.includes('.')) return near;
  const last = (name: string) => name.slice(name.lastIndexOf('.') + 1);
  const key = nearest(path, paths.map(last));
  return key && paths.find((name) => last(name) === key);
}

function assign(recipe: Record<string, unknown>, path: string, text: string): void {
  const schema = settingSchemas.get(path);
  if (!schema) throw new UserError(unknownSetting(path));
  const keys = path.split('.');
  const last = keys.pop()!;
  const section = keys.reduce((at, key) => at[key] as Record<string, unknown>, recipe);
  section[last] = valueFrom(path, schema, text);
}

/** A value as it is written after `=`; the schema checks it with the rest of the recipe. */
function valueFrom(path: string, schema: z.ZodType, text: string): unknown {
  const type = schema instanceof z.ZodDefault || schema instanceof z.ZodOptional ? schema.unwrap() : schema;
  const refuse = (wanted: string) => new UserError(`${path}=${shown(text)}: give ${wanted}`);
  if (type instanceof z.ZodBoolean) {
    if (text !== 'true' && text !== 'false') throw refuse('true or false');
    return text === 'true';
  }
  if (type instanceof z.ZodNumber) {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value)) throw refuse('a number');
    return value;
  }
  if (type instanceof z.ZodArray || type instanceof z.ZodTuple) return listOf(text, refuse);
  return text;
}

function listOf(text: string, refuse: (wanted: string) => UserError): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  throw refuse('a list such as [1,2] or ["a","b"]');
}
