/** Recipes as files: the subset of YAML, JSON with comments, and files that are printed and read again. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { refusal } from '../../test/support/refusal.ts';
import { readRecipe, recipeFrom, recipeText } from './file.ts';
import { makeRecipe, presets } from './recipe.ts';
import { settingSchemas } from './schema.ts';
import { parseYaml, yamlText } from './yaml.ts';

describe('a recipe file', () => {
  it.each(Object.keys(presets))('printed from preset %s reads back as that preset, each setting explained', (name) => {
    const text = recipeText(makeRecipe(name));
    expect(recipeFrom(text, 'recipe.yaml')).toEqual(makeRecipe(name));
    for (const schema of settingSchemas.values())
      expect(text).toContain(schema.description!.split(' ').slice(0, 3).join(' '));
    expect(
      Math.max(
        ...text
          .split('\n')
          .filter((line) => /^ *#/.test(line))
          .map((line) => line.length),
      ),
    ).toBeLessThan(101);
  });

  it('names a preset and what differs from it, by section or by dotted name, in YAML or in JSON with comments', () => {
    const changes = {
      'diffusion.layers': '6',
      'tokenizer.channelMultipliers': '[1,2,2]',
      'diffusion.learningRate': '1e-3',
    };
    const expected = makeRecipe('small', changes);
    const yaml = `# mine\npreset: small\ndiffusion:\n  layers: 6   # more\n  learningRate: 1e-3\ntokenizer.channelMultipliers:\n  - 1\n  - 2\n  - 2\n`;
    const json = `// mine\n{"preset": "small", /* a # is no comment here */ "diffusion": {"layers": 6},\n "diffusion.learningRate": 0.001, // lower\n "tokenizer": {"channelMultipliers": [1, 2, 2]}}`;
    expect(recipeFrom(yaml, 'a.yaml')).toEqual(expected);
    expect(recipeFrom(json, 'a.json')).toEqual(expected);
  });

  it('is read from disk, and changes go over it', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'recipe-'));
    const file = path.join(folder, 'mine.yaml');
    fs.writeFileSync(file, 'diffusion: \n  layers: 6\n  steps: 7\n');
    expect(readRecipe(file, { 'diffusion.steps': '9' })).toEqual(
      makeRecipe('nano', { 'diffusion.layers': '6', 'diffusion.steps': '9' }),
    );
    expect(refusal(() => readRecipe(path.join(folder, 'none.yaml')))).toContain('none.yaml');
  });

  it.each([
    ['diffusion:\n  layer: 6\n', 'r: There is no setting "diffusion.layer": did you mean diffusion.layers?'],
    ['difusion.layers: 6\n', 'r: There is no setting "difusion.layers": did you mean diffusion.layers?'],
    ['guidancescale: 6\n', 'r: There is no setting "guidancescale": did you mean sampling.guidanceScale?'],
    ['{"toString": {"layers": 6}}', 'r: There is no setting "toString"'],
    ['{"__proto__": {"layers": 6}}', 'r: There is no setting "__proto__"'],
    ['preset: tiny\n', `There is no preset "tiny": choose one of ${Object.keys(presets).join(', ')}`],
    ['preset: 3\n', 'r: preset: give the name of a preset in quotes'],
    ['diffusion:\n  layers: 6\ndiffusion.layers: 7\n', 'r: diffusion.layers is there twice'],
    ['{"imageSize": 3, "imageSize": 4}', 'r is not valid JSON: the key "imageSize" is there twice'],
  ])('%j is refused by what does not exist or is there twice', (text, wanted) => {
    expect(refusal(() => recipeFrom(text, 'r'))).toBe(wanted);
  });

  it('refuses values of another type than the setting has', () => {
    expect(refusal(() => recipeFrom('diffusion:\n  layers: many\n', 'r'))).toMatch(/^r: diffusion\.layers: /);
    expect(refusal(() => recipeFrom('diffusion: 3\n', 'r'))).toMatch(/^r: diffusion: /);
    expect(refusal(() => recipeFrom('pictures:\n  flip: yes\n', 'r'))).toMatch(/^r: pictures\.flip: /);
  });
});

describe('the subset of YAML', () => {
  it.each<[string, unknown]>([
    ['', {}],
    ['---\n# nothing\n\n', {}],
    ['a: 1\nb: -2.5e3\nc: .5\nd: 1.\n', { a: 1, b: -2500, c: 0.5, d: 1 }],
    ['a: true\nb: false\nc: yes\nd: a b # no\ne: a#b\n', { a: true, b: false, c: 'yes', d: 'a b', e: 'a#b' }],
    [`a: "x # \\"y\\"\\u00e9"\nb: 'it''s # here'\n"c d": 3\n`, { a: 'x # "y"é', b: "it's # here", 'c d': 3 }],
    ['a: []\nb: [1, [2, "x,]"], c d ]\n', { a: [], b: [1, [2, 'x,]'], 'c d'] }],
    ['a:\n- 1\n- x\nb:\n    - "2"\nc:\n  d:\n    e: 1\n  f: 2\n', { a: [1, 'x'], b: ['2'], c: { d: { e: 1 }, f: 2 } }],
    ["a: don't\r\nb: 10:30\r\n", { a: "don't", b: '10:30' }],
  ])('reads %j', (text, value) => {
    expect(parseYaml(text, 'r')).toEqual(value);
  });

  it.each([
    ['a: 1\n  b: 2', /line 2: "b: 2" is indented/],
    ['a:\n    b: 2\n  c: 3', /line 3: "c: 3" is indented/],
    ['a:\n\tb: 2', /line 2: indent with spaces/],
    ['a: 1\na: 2', /line 2: "a: 2" names a a second time/],
    ['a: #ffffff', /line 1: "a:" has no value \(a # begins a comment/],
    ['a:\nb: 1', /line 1: "a:" has no value/],
    ['just words', /line 1: "just words" is no "name: value"/],
    ['- 1', /is no "name: value"/],
    ['a: &x 1', /does not use/],
    ['a: *x', /does not use/],
    ['a: !!str 1', /does not use/],
    ['a: |\n  text', /does not use/],
    ['a: {b: 1}', /does not use/],
    ['a: b: c', /does not use/],
    ['a: null', /does not use/],
    ['a: 0x10', /does not use/],
    ['a: .inf', /does not use/],
    ['a: 010', /line 1: "a: 010" holds 010, which is octal in YAML 1.1 and decimal in 1.2: write 10$/],
    ['a: [1, -007]', /write -7$/],
    ['a: [1, 2', /holds no list such as \[1, 2\]/],
    ['a: [1] 2', /goes on after its list/],
    ['a: [1,, 2]', /holds no list/],
    ['a: "x', /double quotes/],
    ["a: 'x", /single quotes/],
    ['a:\n  -\n', /item without a value/],
    ['a:\n  - 1\n  b: 2', /line 3: "b: 2" is indented/],
    [`a: ${'['.repeat(100)}`, /nested too deeply/],
    [Array.from({ length: 30 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), /nested too deeply/],
  ])('refuses %j by its line', (text, wanted) => {
    expect(refusal(() => parseYaml(text, 'r'))).toMatch(wanted);
  });

  it.each([
    0,
    -1,
    1e-6,
    1.5e-7,
    1e21,
    true,
    'yes',
    '',
    'a photograph of ',
    '#ffffff',
    '1',
    "it's",
    'nano',
    'ffhq-256',
    [[1, [2]]],
    [['a, b']],
  ])('writes %j as it reads it', (value) => {
    expect(parseYaml(`a: ${yamlText(value)}`, 'r')).toEqual({ a: value });
  });
});
