/** Samplers are files: what the registry, the recipe and the documentation say of them agrees. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { makeRecipe } from '../../recipe/recipe.ts';
import { ownSettings, samplerNames, samplers } from './index.ts';

it('registers every file that defines a sampler, under the name of the file', () => {
  const folder = path.resolve('src/diffusion/samplers');
  const defining = fs
    .readdirSync(folder)
    .filter((file) => /^export const sampler = /m.test(fs.readFileSync(path.join(folder, file), 'utf8')));
  expect(defining.map((file) => path.basename(file, '.ts')).sort()).toEqual([...samplerNames].sort());
  for (const name of samplerNames) expect(samplers[name].name).toBe(name);
});

it('gives every setting of a sampler a description, a default, and a place in the recipe', () => {
  const { sampling } = makeRecipe('nano');
  for (const [setting, schema] of Object.entries(ownSettings)) {
    expect(schema.description).toBeTruthy();
    expect(schema.safeParse(undefined).success).toBe(true);
    expect(sampling).toHaveProperty(setting);
  }
});

it('is documented in docs/samplers.md, line by line', () => {
  const text = fs.readFileSync('docs/samplers.md', 'utf8');
  const lines = Object.values(samplers).map(({ name, description, exact, settings }) => {
    const own = Object.keys(settings).map((setting) => `\`${setting}\``);
    return `| \`${name}\` | ${description} | ${own.join(', ') || '–'} | ${exact} |`;
  });
  expect(lines.filter((line) => !text.includes(line))).toEqual([]);
});
