/** Every mistake on the command line is answered in one line. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runClipvq } from '../support/cli.ts';
import { shareEngines } from '../support/keeping-engine.ts';
import { leanRecipe, writeTinyRun } from '../support/tiny-model.ts';

shareEngines();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-mistakes-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const at = (...parts: string[]) => path.join(folder, ...parts);

/** The tokenizer of such a run would see through its CLIP. */
const recipe = {
  ...leanRecipe,
  tokenizer: { ...leanRecipe.tokenizer, perceptualWeight: 0.15 },
  diffusion: { ...leanRecipe.diffusion, timesteps: 25 },
};
const clipvq = (...args: string[]) => runClipvq(folder, ...args);

describe('a mistake', () => {
  const mistakes: [string, string[], RegExp][] = [
    ['unknown command', ['paint'], /unknown command 'paint'/],
    ['unknown option', ['generate', '--model', 'run', '--gidance', '3', 'x'], /--gidance/],
    ['unknown preset', ['train', '--data', 'faces', '--run', 'new', '--preset', 'huge'], /preset "huge"/],
    ['unknown setting', ['train', '--data', 'faces', '--run', 'new', '--set', 'diffusion.layer=3'], /diffusion\.layer/],
    [
      'unfit setting',
      ['train', '--data', 'faces', '--run', 'new', '--set', 'diffusion.layers=1.5'],
      /diffusion\.layers/,
    ],
    ['no data', ['train', '--run', 'new'], /--data/],
    ['no run', ['train', '--data', 'faces'], /--run/],
    ['missing folder', ['train', '--data', 'nowhere', '--clip', 'run/clip', '--run', 'new'], /nowhere/],
    ['empty folder', ['train', '--data', 'empty', '--clip', 'run/clip', '--run', 'new'], /empty/],
    ['nothing readable', ['train', '--data', 'junk', '--clip', 'run/clip', '--run', 'new'], /junk/],
    ['missing CLIP', ['train', '--data', 'junk', '--clip', './nowhere', '--run', 'new'], /nowhere/],
    ['stage before its time', ['train', '--run', 'eyeless', '--resume', '--stage', 'tokenizer'], /--stage clip/],
    ['run in use', ['train', '--data', 'faces', '--run', 'run'], /already holds a run/],
    [
      'batches that no part can make',
      ['train', '--data', 'faces', '--run', 'x', '--stage', 'clip', '--accumulate', '3'],
      /--accumulate 3 does not divide the batch of stage clip \(clip\.batch is 128\)/,
    ],
    ...['abc', '10', '-1G', '0M', '1.2.3G', '4T', ''].map((size): [string, string[], RegExp] => [
      `${size || 'nothing'} for memory`,
      ['train', '--data', 'faces', '--run', 'x', '--memory', size],
      /--memory <size>.*such as 1500M or 4G/,
    ]),
    [
      'memory of a GPU',
      ['train', '--data', 'faces', '--run', 'x', '--memory', '4G', '--device', 'webgpu'],
      /--accumulate/,
    ],
    [
      'too little memory',
      ['train', '--data', 'faces', '--run', 'new', '--memory', '60M'],
      /^clipvq: clip: needs about [\d.]+ [MG]B even one picture at a time, and --memory allows 60 MB: allow more: the program itself takes/,
    ],
    ['changed on resume', ['train', '--run', 'run', '--resume', '--seed', '3'], /--seed/],
    ['no model', ['generate', '--model', 'nowhere', 'x'], /nowhere/],
    ['not a model', ['generate', '--model', 'empty', 'x'], /run\.json/],
    ['no prompt', ['generate', '--model', 'run'], /Say what to make/],
    ['empty prompt, before a model is opened', ['generate', '--model', 'weightless', ' '], /empty/],
    ['long prompt', ['generate', '--model', 'run', 'word '.repeat(200)], /tokens long/],
    [
      'foreign option',
      ['generate', '--model', 'run', '--sampler', 'halton', '--placement', 'even', 'x'],
      /halton does/,
    ],
    ['no such placement', ['generate', '--model', 'run', '--placement', 'odd', 'x'], /even, cosine/],
    ['no truncation', ['generate', '--model', 'run', '--truncation', '0', 'x'], /--truncation/],
    [
      'guidance that ends before it begins',
      ['generate', '--model', 'run', '--guidance-from', '0.8', '--guidance-until', '0.2', 'x'],
      /before it begins/,
    ],
    ['no such sampler to compare', ['bench', 'samplers', '--model', 'run', '--only', 'strided,best'], /"best"/],
    ['more steps to compare than there are', ['bench', 'samplers', '--model', 'run', '--steps', '8,26'], /at most 25/],
    ['too many steps', ['generate', '--model', 'run', '--steps', '1000', 'x'], /1000/],
    ['no weights', ['generate', '--model', 'weightless', 'x'], /holds no trained diffusion/],
    ['truncated weights', ['generate', '--model', 'truncated', 'x'], /model\.safetensors/],
    ['foreign weights', ['generate', '--model', 'foreign', 'x'], /model\.safetensors/],
    ['another version', ['generate', '--model', 'newer', 'x'], /version 99/],
    ['unwritable', ['generate', '--model', 'run', '--out', 'junk/notes.txt/x.png', 'x'], /notes\.txt/],
  ];

  beforeAll(() => {
    writeTinyRun(at('run'), recipe);
    fs.mkdirSync(at('empty'));
    fs.mkdirSync(at('junk'));
    fs.writeFileSync(at('junk', 'notes.txt'), 'hello');
    for (const name of ['weightless', 'eyeless', 'truncated', 'foreign', 'newer'])
      fs.cpSync(at('run'), at(name), { recursive: true });
    const weights = (name: string) => at(name, 'diffusion', 'model.safetensors');
    fs.rmSync(weights('weightless'));
    fs.rmSync(at('eyeless', 'clip'), { recursive: true });
    fs.truncateSync(weights('truncated'), 5000);
    fs.copyFileSync(at('run', 'tokenizer', 'model.safetensors'), weights('foreign'));
    const run = JSON.parse(fs.readFileSync(at('newer', 'run.json'), 'utf8')) as object;
    fs.writeFileSync(at('newer', 'run.json'), JSON.stringify({ ...run, version: 99 }));
  });

  it.each(mistakes)('%s ends in one line and code 2', async (_, args, says) => {
    const { status, stdout, stderr } = await clipvq(...args);
    expect(stderr).toMatch(says);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(status).toBe(2);
    expect(fs.existsSync(at('new'))).toBe(false);
  });

  it('a check that finds no usable picture ends with code 2, and its report is whole', async () => {
    const { status, stdout, stderr } = await clipvq('data', 'check', 'junk', '--no-estimate', '--json');
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ accepted: 0, exitCode: 2, rejected: [{ path: 'notes.txt' }] });
    expect(stderr).toBe(`clipvq: ${report.error}\n`);
    expect(status).toBe(2);
  });
});
