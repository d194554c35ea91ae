/**
 * Options for how pictures are drawn: one for every sampling setting of a recipe, but for those that belong to the
 * model.
 */

import type { Command } from 'commander';
import type * as z from 'zod';
import { samplerNames, samplers, usersOf } from '../diffusion/samplers/index.ts';
import type { SamplingChoice } from '../generation/generator.ts';
import { samplingSchema } from '../recipe/schema.ts';
import { choicesOf, settingOption } from './options.ts';

const { promptPrefix: _prefix, nullEmbedding: _embedding, ...shape } = samplingSchema.shape;
const settings = Object.keys(shape) as (keyof typeof shape)[];

/** The option of a setting: as it is called in the recipe, but guidance for short. */
const optionOf = (setting: string): string => (setting === 'guidanceScale' ? 'guidance' : setting);
const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export function withSampling(command: Command): Command {
  for (const setting of settings) {
    const schema = shape[setting];
    const value = choicesOf(schema) ? 'name' : 'n';
    const users = usersOf(setting);
    const notes = [
      ...(users.length < samplerNames.length ? [`used by ${users.join(', ')}`] : []),
      ...(optionOf(setting) === setting ? [] : [`${setting} in recipes and programs`]),
      'default: as the recipe',
    ];
    command.addOption(settingOption(`--${kebab(optionOf(setting))} <${value}>`, schema, notes.join('; ')));
  }
  return command.addHelpText('after', ({ command: called }) => {
    const help = called.createHelp();
    help.prepareContext({ helpWidth: called.configureOutput().getOutHelpWidth?.() ?? 80 });
    const lines = samplerNames.map((name) => help.formatItem(name, 12, samplers[name].description, help));
    return ['', 'Samplers:', ...lines].join('\n');
  });
}

/** The setting that an option stands for, by the option's name or its own; undefined where there is none. */
export function settingCalled(name: string): { readonly setting: string; readonly schema: z.ZodType } | undefined {
  const setting = settings.find((one) => [one, optionOf(one), kebab(optionOf(one))].includes(name));
  return setting && { setting, schema: shape[setting] };
}

/** What the options of all sampling settings are called. */
export const samplingNames = settings.map((setting) => kebab(optionOf(setting)));

/** The sampling settings among the options of a command: those that were named. */
export function samplingOf(options: object): Partial<SamplingChoice> {
  const named = new Map(Object.entries(options));
  const chosen = settings
    .map((setting) => [setting, named.get(optionOf(setting))] as const)
    .filter(([, value]) => value !== undefined);
  return Object.fromEntries(chosen) as Partial<SamplingChoice>;
}
