/** Sheets of a sweep: what is drawn for each place, and where it lies. */

import { expect, it } from 'vitest';
import { tinyRecipe } from '../../test/support/tiny-model.ts';
import type { Condition, GeneratedImage, GenerateOptions } from '../generation/generator.ts';
import { requestOf } from '../generation/options.ts';
import { sweepAxis, sweptSheet } from './sweep.ts';

const calls: GenerateOptions[] = [];
const generator = {
  recipe: tinyRecipe,
  generate: async (condition: Condition | readonly Condition[], options: GenerateOptions = {}) => {
    calls.push(options);
    const request = requestOf(condition, options, tinyRecipe);
    return request.batch(0, 16).map(
      ({ seed }): GeneratedImage => ({
        image: { width: 1, height: 1, data: Uint8Array.of(seed, request.settings.steps, 0) },
        tokens: Int32Array.of(0),
        prompt: request.prompts[0]!,
        negative: undefined,
        seed,
        clipScore: 0,
        meanClipScore: 0,
        settings: request.settings,
        passes: { conditional: 1, unconditional: 0 },
      }),
    );
  },
};

it('of one setting has its values in rows and seeds in columns', async () => {
  const { sheet, cells } = await sweptSheet(generator, ['a', 'b'], sweepAxis('guidance=1,2.5'), { count: 3, seed: 5 });
  expect(sheet.columns).toEqual(['seed 5', 'seed 6', 'seed 7']);
  expect(sheet.rows.map(({ label, note }) => [label, note])).toEqual([
    ['a', 'guidance 1'],
    ['a', 'guidance 2.5'],
    ['b', 'guidance 1'],
    ['b', 'guidance 2.5'],
  ]);
  expect(cells).toHaveLength(12);
  expect(cells[3]).toMatchObject({ prompt: 'a', seed: 5, settings: { guidanceScale: 2.5 } });
});

it('of two settings has the values of the second in columns, and a row for each seed', async () => {
  const axes = sweepAxis('steps=3,4,5', sweepAxis('sampler=ancestral,strided'));
  const { sheet } = await sweptSheet(generator, ['a'], axes, { count: 2 });
  expect(sheet.columns).toEqual(['steps 3', 'steps 4', 'steps 5']);
  expect(sheet.rows.map(({ note }) => note)).toEqual([
    'sampler ancestral, seed 0',
    'sampler strided, seed 0',
    'sampler ancestral, seed 1',
    'sampler strided, seed 1',
  ]);
  expect(sheet.rows[2]!.images.map(({ data }) => [...data])).toEqual([
    [1, 3, 0],
    [1, 4, 0],
    [1, 5, 0],
  ]);
});

it('is refused before anything is drawn if any of its places is impossible', async () => {
  const before = calls.length;
  const drawing = sweptSheet(generator, ['a'], sweepAxis('steps=3,99'), {});
  await expect(drawing).rejects.toThrow(/steps 99|sampling\.steps/);
  expect(calls.length).toBe(before);
  expect(() => sweepAxis('truncation=0.5', sweepAxis('steps=1', sweepAxis('guidance=1')))).toThrow(/at most two/);
});
