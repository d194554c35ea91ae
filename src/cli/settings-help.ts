/** The list of settings in `clipvq train --help`, read from the schema, with the values of the preset that is named. */

import type { AddHelpTextContext } from 'commander';
import { makeRecipe, type RecipeChanges } from '../recipe/recipe.ts';
import { settingSchemas } from '../recipe/schema.ts';
import { progressTerms } from './progress.ts';

/** Wrapped at the width of the terminal, as the rest of the help. */
export function settingsHelp({ command }: Pick<AddHelpTextContext, 'command'>): string {
  const { preset = 'nano', set } = command.opts<{ preset?: string; set?: RecipeChanges }>();
  const recipe = makeRecipe(preset, set);
  const help = command.createHelp();
  help.prepareContext({ helpWidth: command.configureOutput().getOutHelpWidth?.() ?? 80 });
  const lines = [...settingSchemas].map(([path, schema]) => {
    const value = path.split('.').reduce<unknown>((at, key) => (at as Readonly<Record<string, unknown>>)[key], recipe);
    const term = `${path}=${JSON.stringify(value)}`;
    return help.formatItem(term, Math.max(TERM_WIDTH, term.length), schema.description ?? '', help);
  });
  const terms = progressTerms().map(([term, meaning]) => help.formatItem(term, TERM_WIDTH, meaning, help));
  const progress = ['', 'Progress lines: steps, rate and time left, then averages over about 20 steps:', ...terms];
  return ['', `Settings for --set, with their values in preset ${recipe.preset}:`, ...lines, ...progress].join('\n');
}

/** Of the first column; longer settings take what they need. */
const TERM_WIDTH = 34;
