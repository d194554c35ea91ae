/** The list of settings in `clipvq train --help`, read from the schema. */

import { z } from 'zod';
import { presets, recipeSchema } from '../recipe/schema.ts';

export function settingsHelp(): string {
  const lines = ['', 'Settings for --set, with their values in preset nano:'];
  for (const [name, field] of Object.entries(recipeSchema.shape)) {
    if (name === 'preset') continue;
    const section = field instanceof z.ZodDefault ? field.unwrap() : field;
    if ('shape' in section)
      for (const [key, inner] of Object.entries(section.shape)) lines.push(line(`${name}.${key}`, inner));
    else lines.push(line(name, field));
  }
  return lines.join('\n');
}

function line(path: string, field: z.ZodType): string {
  const value = path
    .split('.')
    .reduce<unknown>((at, key) => (at as Readonly<Record<string, unknown>>)[key], presets.nano);
  return `  ${`${path}=${JSON.stringify(value)}`.padEnd(46)} ${field.description ?? ''}`.trimEnd();
}
