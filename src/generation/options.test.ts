/** Mistakes at the door: one line each, in the words of pictures and prompts, before anything is computed. */

import { describe, expect, it } from 'vitest';
import { refusal } from '../../test/support/refusal.ts';
import { tinyRecipe } from '../../test/support/tiny-model.ts';
import { changedRecipe } from '../recipe/recipe.ts';
import { checkCodes, checkPictures, type GenerateOptions, requestOf } from './options.ts';

/** Options as a program without types could give them. */
const untyped = (options: unknown) => options as GenerateOptions;
const request = (prompts: unknown, options: unknown = {}) => requestOf(prompts as string, untyped(options), tinyRecipe);

describe('a request', () => {
  it('takes one prompt as a text, and lists pictures prompt by prompt with seeds that count up', () => {
    expect(request('a face')).toMatchObject({ prompts: ['a face'], total: 1 });
    const two = request(['a', 'b'], { count: 3, seed: [5, 9] });
    expect(two.total).toBe(6);
    expect(two.batch(1, 4)).toEqual([
      { prompt: 0, seed: 6 },
      { prompt: 0, seed: 7 },
      { prompt: 1, seed: 9 },
      { prompt: 1, seed: 10 },
    ]);
    expect(two.batch(4, 16)).toHaveLength(2);
    expect(request('a', { seed: 2 ** 53 - 1 }).batch(0, 1)).toEqual([{ prompt: 0, seed: 2 ** 53 - 1 }]);
  });

  it('fills in what the recipe says of sampling, and what belongs to the model is not among the settings', () => {
    const { settings } = request('a', { steps: 3, guidanceScale: undefined });
    const { promptPrefix: _, nullEmbedding: __, ...sampling } = tinyRecipe.sampling;
    expect(settings).toEqual({ ...sampling, steps: 3 });
  });

  it('guides away from a negative text where the recipe has no guidance, unless guidance is named', () => {
    const recipe = changedRecipe(tinyRecipe, { 'sampling.guidanceScale': '1' });
    const scale = (options: GenerateOptions) => requestOf('a', options, recipe).settings.guidanceScale;
    expect([scale({}), scale({ negative: 'b' }), scale({ negative: 'b', guidanceScale: 3 })]).toEqual([1, 2, 3]);
    expect(refusal(() => scale({ negative: 'b', guidanceScale: 1 }))).toMatch(/no effect without guidance/);
  });

  it('lists no picture before it is wanted, however many there are', () => {
    expect(request('a', { count: 4_000_000_000 }).batch(3_999_999_999, 16)).toEqual([
      { prompt: 0, seed: 3_999_999_999 },
    ]);
  });

  it.each<[string, unknown, unknown, RegExp]>([
    ['no prompt', undefined, {}, /prompts are undefined: give a text/],
    ['a number', 7, {}, /prompts are 7/],
    ['a list of numbers', [7], {}, /Prompt 1 is 7: give a text/],
    ['an empty prompt', ['a', ' '], {}, /Prompt 2 is empty/],
    ['a count below one', 'a', { count: -1 }, /count is -1/],
    ['no pictures', 'a', { count: 0 }, /count is 0/],
    ['half a picture', 'a', { count: 1.5 }, /count is 1\.5/],
    ['a count in words', 'a', { count: '2' }, /count is 2/],
    [
      'an option that does not exist',
      'a',
      { guidance: 3 },
      /no option guidance: choose among count, seed, .*guidanceScale/,
    ],
    ['an option of the model', 'a', { promptPrefix: 'x' }, /no option promptPrefix/],
    ['a list of options', 'a', [], /options are a Array/],
    ['no options', 'a', null, /options are null/],
    ['a seed below zero', 'a', { seed: -1 }, /seed -1/],
    ['a seed beyond 53 bits', 'a', { seed: 2 ** 53 }, /seed 9007199254740992/],
    ['a last seed beyond 53 bits', 'a', { seed: 2 ** 53 - 1, count: 2 }, /seed 9007199254740991 with 2 pictures/],
    ['a seed in words', 'a', { seed: 'x' }, /seed is x/],
    ['too few seeds', ['a', 'b'], { seed: [1] }, /1 seeds for 2 prompts/],
    ['a broken seed in a list', ['a', 'b'], { seed: [1, Number.NaN] }, /seed NaN/],
    ['a sampler that does not exist', 'a', { sampler: 'magic' }, /sampling\.sampler/],
    ['a setting of another sampler', 'a', { sampler: 'halton', placement: 'cosine' }, /halton does not use placement/],
    ['a setting out of its range', 'a', { truncation: 2 }, /sampling\.truncation/],
  ])('refuses %s', (_, prompts, options, message) => {
    expect(refusal(() => request(prompts, options))).toMatch(message);
  });
});

describe('pictures to encode', () => {
  const data = new Uint8Array(3 * 16 * 16);

  it.each<[string, unknown, RegExp]>([
    [
      'another size',
      [
        { width: 16, height: 16, data },
        { width: 32, height: 16, data },
      ],
      /Picture 2 is 32x16; this model takes 16x16/,
    ],
    ['too few bytes', [{ width: 16, height: 16, data: data.subarray(1) }], /Picture 1 does not hold 768 bytes/],
    ['numbers that are no bytes', [{ width: 16, height: 16, data: new Float32Array(768) }], /does not hold 768 bytes/],
    ['no list', { width: 16, height: 16, data }, /pictures are a Object: give a list/],
  ])('of %s are refused', (_, images, message) => {
    expect(refusal(() => checkPictures(images as [], 16))).toMatch(message);
  });

  it('of the right size are not', () => {
    expect(refusal(() => checkPictures([{ width: 16, height: 16, data }], 16))).toBe('accepted');
  });
});

describe('codes to decode', () => {
  it.each<[string, unknown, RegExp]>([
    ['a code below zero', Int32Array.of(1, 2, 3, -1), /Code 2 of picture 2 is -1: this model's codes are 0 to 9/],
    ['a code that the model does not have', Int32Array.of(9999, 0), /Code 1 of picture 1 is 9999/],
    ['a mask', Int32Array.of(0, 10), /Code 2 of picture 1 is 10/],
    ['another length', Int32Array.of(1, 2, 3), /3 codes are no whole number of pictures: this model has 2 a picture/],
    ['a list', [1, 2], /codes are a Array: give an Int32Array/],
  ])('with %s are refused', (_, codes, message) => {
    expect(refusal(() => checkCodes(codes as Int32Array, 2, 10))).toMatch(message);
  });

  it('of the model are not', () => {
    expect(refusal(() => checkCodes(Int32Array.of(0, 9, 5, 5), 2, 10))).toBe('accepted');
  });
});
