/**
 * Pictures and mixes on the command line, read as the model sees them; mistakes end in one line before anything is
 * loaded.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tinyRecipe } from '../../test/support/tiny-model.ts';
import { UserError } from '../base/errors.ts';
import { save } from '../data/pictures/files.ts';
import { readEdits, repaintedCodes } from './edit-options.ts';
import { generateCommand } from './generate.ts';
import { conditionOf } from './interpolate.ts';
import { alsoSettledBy } from './picture-files.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-edits-'));
const at = (name: string) => path.join(folder, name);
const filled = (width: number, height: number, value: number) =>
  ({ width, height, data: new Uint8Array(3 * width * height).fill(value) }) as const;
beforeAll(async () => {
  await save(at('cat.png'), filled(40, 32, 90));
  await save(at('mask.png'), filled(40, 32, 255));
  await save(at('small mask.png'), filled(20, 16, 255));
  fs.writeFileSync(at('notes.png'), 'no picture');
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

describe('edits', () => {
  it('are conditions: a picture alone, mixed with each prompt, a mix of texts beside prompts', async () => {
    const seen = { picture: filled(16, 16, 90), name: 'cat.png' };
    expect(await readEdits([], { image: at('cat.png') }, tinyRecipe)).toEqual({ conditions: [seen], start: undefined });
    const { conditions } = await readEdits(['a', 'b'], { image: at('cat.png') }, tinyRecipe);
    expect(conditions).toEqual(
      ['a', 'b'].map((of) => ({
        mix: [
          { of, weight: 0.5 },
          { of: seen, weight: 0.5 },
        ],
      })),
    );
    const promptMix = [{ of: 'a man', weight: 0.7 }];
    expect((await readEdits(['a'], { promptMix }, tinyRecipe)).conditions).toEqual(['a', { mix: promptMix }]);
  });

  it('go on from the picture with less than full strength, and repaint with a mask', async () => {
    const picture = filled(16, 16, 90);
    const varied = await readEdits([], { image: at('cat.png'), strength: 0.6 }, tinyRecipe);
    expect(varied.start).toEqual({ picture, strength: 0.6 });
    const repainted = await readEdits(['a'], { init: at('cat.png'), mask: at('mask.png') }, tinyRecipe);
    expect(repainted).toEqual({ conditions: ['a'], start: { picture, mask: filled(16, 16, 255), strength: 1 } });
  });

  it('give repaints a name for each set of codes that is drawn anew, and other pictures the one that they had', () => {
    const picture = filled(16, 16, 90);
    const below = (row: number) => ({ ...filled(16, 16, 0), data: filled(16, 16, 0).data.fill(255, 3 * 16 * row) });
    const nameOf = (mask: typeof picture | undefined) =>
      alsoSettledBy(
        (_, { made }) => JSON.stringify(made),
        repaintedCodes({ picture, ...(mask && { mask }) }, tinyRecipe),
      )(new Uint8Array(), { prompt: 'a cat', seed: 0, made: ['model'] });
    expect(nameOf(undefined)).toBe('["model"]');
    // Codes lie on a grid of 8, so that both of these name the same ones.
    expect(nameOf(below(8))).toBe(nameOf(below(9)));
    expect(new Set([undefined, below(0), below(8), below(12)].map(nameOf)).size).toBe(4);
    expect(() => nameOf(below(16))).toThrow(/keeps all of the picture/);
  });

  it.each<[string, Parameters<typeof readEdits>[1], RegExp]>([
    [
      'a mask of another size',
      { init: 'cat.png', mask: 'small mask.png' },
      /is 20x16 pixels, .*cat.png is 40x32: give a mask of the same size/,
    ],
    ['a mask alone', { mask: 'mask.png' }, /--mask needs --init/],
    ['nothing to repaint', { init: 'cat.png' }, /--init needs --mask/],
    ['a strength alone', { strength: 0.5 }, /--strength needs a picture/],
    ['a picture that is not there', { image: 'nowhere.png' }, /nowhere.png/],
    ['a file that is no picture', { image: 'notes.png' }, /Cannot read .*notes.png/],
    ['a mask that is no picture', { init: 'cat.png', mask: 'notes.png' }, /Cannot read .*notes.png/],
  ])('refuse %s', async (_, { strength, ...files }, message) => {
    const placed = Object.fromEntries(Object.entries(files).map(([option, name]) => [option, at(String(name))]));
    const reading = readEdits(['a'], { ...placed, ...(strength !== undefined && { strength }) }, tinyRecipe);
    await expect(reading).rejects.toThrow(UserError);
    await expect(reading).rejects.toThrow(message);
  });

  it.each([
    [['--prompt-mix', 'a man'], /text:weight/],
    [['--prompt-mix', 'a man:0'], /numbers above 0/],
    [['--prompt-mix', 'a man:-1'], /numbers above 0/],
    [['--prompt-mix', ':0.4'], /text:weight/],
    [['--image', 'x.png', '--strength', '0'], /above 0/],
    [['--image', 'x.png', '--strength', '1.1'], /up to 1/],
    [['--sweep', 'guidance', 'x'], /setting=value,value/],
    [['--sweep', 'magic=1', 'x'], /no setting magic: choose among .*guidance/],
    [['--sweep', 'steps=1,x', 'x'], /"x"/],
    [['--sweep', 'steps=1', '--sweep', 'steps=2', 'x'], /swept twice/],
  ])('%j ends in one line', async (words, message) => {
    const command = generateCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => {} });
    const parsing = command.parseAsync(['--model', at('none'), '--out', at('out'), ...words], { from: 'user' });
    await expect(parsing).rejects.toThrow(message);
  });

  it('take what is called like a picture file for one, and everything else for a prompt', async () => {
    expect(await conditionOf(at('cat.png'), tinyRecipe)).toEqual({ picture: filled(16, 16, 90), name: 'cat.png' });
    expect(await conditionOf('a cat.', tinyRecipe)).toBe('a cat.');
    await expect(conditionOf(at('dog.jpg'), tinyRecipe)).rejects.toThrow(/dog.jpg/);
  });
});
