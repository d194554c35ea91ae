/** Recipes from presets, changes and files. */

import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { refusal } from '../../test/support/refusal.ts';
import { identityOf, recipeIdentity } from './identity.ts';
import { changedRecipe, makeRecipe, parseRecipe, presets } from './recipe.ts';
import { settingSchemas } from './schema.ts';

/**
 * What every preset resolved to when runs of version 0.1 were made. Fingerprints of runs are hashes of this very text;
 * settings that were added since are left out of it.
 */
const frozen = z
  .record(z.string(), z.record(z.string(), z.unknown()))
  .parse(JSON.parse(fs.readFileSync('test/recipes/presets.json', 'utf8')));

describe.each(Object.keys(presets))('preset %s', (name) => {
  it('has the identity it has always had, in the same order, part by part, whatever settings were added since', () => {
    const recipe = makeRecipe(name);
    expect(recipe).toMatchObject(frozen[name]!);
    expect(recipeIdentity(recipe)).toBe(JSON.stringify(frozen[name]));
    for (const part of ['clip', 'tokenizer', 'diffusion'] as const)
      expect(identityOf(part, recipe[part])).toBe(JSON.stringify(frozen[name]![part]));
  });

  it('reads back from a run as it was written', () => {
    expect(recipeIdentity(parseRecipe(frozen[name], 'run.json'))).toBe(JSON.stringify(frozen[name]));
  });
});

it('knows all presets that have ever been', () => {
  expect(Object.keys(presets)).toEqual(Object.keys(frozen));
});

const set = (changes: Record<string, string>) => refusal(() => makeRecipe('nano', changes));

it.each([
  ['diffusion.layer', 'diffusion.layers'],
  ['difusion.layers', 'diffusion.layers'],
  ['layers', 'diffusion.layers'],
  ['tokenizer.chanels', 'tokenizer.channels'],
  ['guidancescale', 'sampling.guidanceScale'],
])('a setting %s is unknown, and %s is suggested', (typed, meant) => {
  expect(set({ [typed]: '1' })).toBe(`There is no setting "${typed}": did you mean ${meant}?`);
});

it('suggests nothing for what resembles nothing, and prints it safely', () => {
  expect(set({ xyzzy: '1' })).toBe('There is no setting "xyzzy"');
  expect(set({ diffusion: '{}' })).toMatch(/^There is no setting "diffusion"/);
  expect(set({ __proto__x: '1', 'constructor.name': '1' })).toMatch(/^There is no setting/);
  expect(set({ ['\u001b[2J'.repeat(100)]: '1' })).toMatch(/^There is no setting "\P{C}{1,61}"$/u);
});

it('suggests the nearest setting for an unknown one in a file', () => {
  const recipe = makeRecipe('nano');
  const file = { ...recipe, tokenizer: { ...recipe.tokenizer, chanels: 3 } };
  expect(refusal(() => parseRecipe(file, 'run.json'))).toBe(
    'run.json: There is no setting "tokenizer.chanels": did you mean tokenizer.channels?',
  );
  expect(refusal(() => parseRecipe({ ...recipe, imagesize: 3 }, 'run.json'))).toMatch(/did you mean imageSize\?$/);
});

it.each([
  ['pictures.flip', 'True', 'give true or false'],
  ['pictures.flip', '1', 'give true or false'],
  ['diffusion.layers', 'four', 'give a number'],
  ['diffusion.layers', '', 'give a number'],
  ['tokenizer.channelMultipliers', '1,2', 'give a list such as [1,2]'],
  ['tokenizer.channelMultipliers', '3', 'give a list such as [1,2]'],
  ['sampling.sampler', 'striped', 'strided'],
  ['diffusion.layers', '1.5', 'diffusion.layers'],
  ['diffusion.learningRate', '-1', 'diffusion.learningRate'],
])('%s=%s is refused with what it should be', (path, text, wanted) => {
  expect(set({ [path]: text })).toContain(path);
  expect(set({ [path]: text })).toContain(wanted);
});

it('takes values of every type as text', () => {
  const { pictures, tokenizer, sampling, diffusion } = makeRecipe('nano', {
    'pictures.flip': 'true',
    'tokenizer.channelMultipliers': '[1, 2]',
    'sampling.promptPrefix': '3',
    'diffusion.validationPrompts': '["a red hat"]',
    'diffusion.learningRate': '1e-4',
  });
  expect([pictures.flip, tokenizer.channelMultipliers, sampling.promptPrefix]).toEqual([true, [1, 2], '3']);
  expect([diffusion.validationPrompts, diffusion.learningRate]).toEqual([['a red hat'], 1e-4]);
});

it('bounds every number: what no machine could hold is one line', () => {
  const { sampling: _, ...rest } = makeRecipe('nano');
  expect(set({ 'diffusion.layers': '1e9' })).toMatch(/^settings: diffusion\.layers: .*1024/);
  for (const [path, schema] of settingSchemas) {
    const value = path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], presets.nano);
    if (typeof value === 'number') expect(schema.safeParse(1e15).success, path).toBe(false);
  }
  expect(rest.preset).toBe('nano');
});

it('refuses steps of sampling that the diffusion or the sampler does not have, for new runs', () => {
  expect(set({ 'diffusion.timesteps': '10' })).toMatch(/sampling\.steps 12 .*diffusion\.timesteps 10.* takes 1 to 10/);
  expect(set({ 'diffusion.timesteps': '10', 'sampling.steps': '10' })).toBe('accepted');
  expect(set({ 'sampling.sampler': 'fast', 'sampling.steps': '1' })).toMatch(/fast takes 2 to 100/);
  const few = { imageSize: '16', 'sampling.sampler': 'halton', 'tokenizer.perceptualWeight': '0' };
  expect(set({ ...few, 'sampling.steps': '17' })).toMatch(/4 tokens|16 tokens|takes 1 to/);
});

it('still opens a run whose sampling steps its diffusion does not have: they can be named when drawing', () => {
  const { diffusion, ...rest } = makeRecipe('nano');
  const old = { ...rest, diffusion: { ...diffusion, timesteps: 10 } };
  expect(parseRecipe(old, 'run.json').diffusion.timesteps).toBe(10);
  expect(refusal(() => changedRecipe(parseRecipe(old, 'run.json')))).toMatch(/sampling\.steps 12/);
});

it('refuses attention at a grid size that no level has', () => {
  expect(set({ 'tokenizer.attentionResolutions': '[10]' })).toMatch(/no level has a grid of 10: there are 16, 8/);
});
