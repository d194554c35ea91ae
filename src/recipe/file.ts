/** A recipe as a file: a preset's name and the settings that differ from it, in YAML, or in JSON with comments. */

import { UserError } from '../base/errors.ts';
import { readText } from '../files/regular-file.ts';
import { parseStrictJson } from '../files/strict-json.ts';
import { changedRecipe, makeRecipe, parseRecipe, type RecipeChanges } from './recipe.ts';
import { type Recipe, recipeSchema, settingSchemas } from './schema.ts';
import { parseYaml, yamlText } from './yaml.ts';

/** No recipe is larger, in bytes. */
const MOST = 2 ** 20;
const DEFAULT_PRESET = 'nano';
/** Of a comment's line. */
const COLUMNS = 100;

/**
 * The recipe in a file, with changes on top. Settings that the file leaves out are those of its preset
 * (`preset: small`; nano by default).
 * @throws UserError naming the file and the line or setting that does not exist or does not fit.
 */
export function readRecipe(file: string, changes: RecipeChanges = {}): Recipe {
  return changedRecipe(recipeFrom(readText(file, MOST), file), changes);
}

/** The recipe in a text. @throws UserError as `readRecipe` does. */
export function recipeFrom(text: string, where: string): Recipe {
  const isJson = /^\s*[{/]/.test(text);
  const value: unknown = isJson ? parseCommentedJson(text, where) : parseYaml(text, where);
  if (!isSection(value)) throw new UserError(`${where}: a recipe is a list of "name: value"`);
  const { preset = DEFAULT_PRESET, ...settings } = nested(value, where);
  if (typeof preset !== 'string') throw new UserError(`${where}: preset: give the name of a preset in quotes`);
  return parseRecipe(merged(makeRecipe(preset), settings), where);
}

type Section = Readonly<Record<string, unknown>>;

const isSection = (value: unknown): value is Section =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Settings by their dotted names, `diffusion.layers: 6`, put where they belong. */
function nested(value: Section, where: string): Section {
  const result = new Map<string, unknown>();
  for (const [name, given] of Object.entries(value)) {
    const [section, key] = name.split('.', 2);
    const isDotted = key !== undefined && settingSchemas.has(name);
    const [at, one] = isDotted ? [section!, { [key]: given }] : [name, given];
    const before = result.get(at);
    if (before !== undefined && isSection(before) && isSection(one)) {
      const twice = Object.keys(one).find((inner) => inner in before);
      if (twice !== undefined) throw new UserError(`${where}: ${at}.${twice} is there twice`);
      result.set(at, { ...before, ...one });
    } else if (before !== undefined) throw new UserError(`${where}: ${at} is there twice`);
    else result.set(at, one);
  }
  return Object.fromEntries(result);
}

/** Settings over those of a preset, section by section; what is no section takes the place of what was there. */
function merged(base: Section, over: Section): Section {
  const entries = Object.entries(over).map(([name, value]) => {
    const below = Object.hasOwn(base, name) ? base[name] : undefined;
    return [name, isSection(below) && isSection(value) ? { ...below, ...value } : value] as const;
  });
  return { ...base, ...Object.fromEntries(entries) };
}

/** JSON in which // and /* begin comments. */
function parseCommentedJson(text: string, where: string): unknown {
  const plain = text.replace(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (found) =>
    found.startsWith('"') ? found : found.replace(/[^\n]/g, ' '),
  );
  try {
    return parseStrictJson(plain);
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserError(`${where} is not valid JSON: ${error.message}`);
    throw error;
  }
}

/** A recipe as a YAML file in which a comment explains each setting; `recipeFrom` reads it back as it was. */
export function recipeText(recipe: Recipe): string {
  const lines = [
    '# A recipe of clipvq. Settings that are left out are those of the preset.',
    `preset: ${yamlText(recipe.preset)}`,
  ];
  for (const name of Object.keys(recipeSchema.shape)) {
    const value: unknown = recipe[name as keyof Recipe];
    if (name === 'preset') continue;
    if (!isSection(value)) lines.push('', ...commented(name, '', value));
    else {
      lines.push('', `${name}:`);
      for (const [key, inner] of Object.entries(value)) lines.push(...commented(`${name}.${key}`, '  ', inner));
    }
  }
  return `${lines.join('\n')}\n`;
}

function commented(path: string, indent: string, value: unknown): string[] {
  const key = path.slice(path.lastIndexOf('.') + 1);
  const description = settingSchemas.get(path)?.description ?? '';
  return [...wrapped(description, `${indent}# `), `${indent}${key}: ${yamlText(value)}`];
}

function wrapped(text: string, prefix: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && prefix.length + line.length + 1 + word.length > COLUMNS) {
      lines.push(prefix + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, prefix + line];
}
