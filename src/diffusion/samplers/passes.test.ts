/** What a sampler claims to cost, against the passes of the network that it asks for. */

import { expect, it } from 'vitest';
import * as z from 'zod';
import { UserError } from '../../base/errors.ts';
import { maskReplaceSchedule } from '../process/schedule.ts';
import { drawTokens, ownSettings, refuseUnused, type SamplerSettings, samplerNames, stepRange } from './index.ts';

const [TOTAL, TOKENS, CODES] = [20, 36, 5];
const schedule = maskReplaceSchedule({ steps: TOTAL, codes: CODES });

async function passesOf(settings: SamplerSettings, steps: number) {
  let passes = 0;
  const denoise = (tokens: Int32Array) => {
    passes++;
    return Promise.resolve(new Float32Array(tokens.length * CODES).fill(-Math.log(CODES)));
  };
  const options = { schedule, batch: 2, tokens: TOKENS, steps, truncation: undefined };
  const tokens = await drawTokens(settings, denoise, { ...options, noise: { seed: 0, samples: [0, 1] } });
  expect(Math.max(...tokens)).toBeLessThan(CODES);
  return passes;
}

const defaults = z.object(ownSettings).parse({});
const length = { times: TOTAL, tokens: TOKENS };

it.each(samplerNames.filter((name) => name !== 'fast'))('%s takes as many passes as it has steps', async (sampler) => {
  for (const steps of [1, 2, 7, 16, TOTAL]) {
    expect(await passesOf({ ...defaults, sampler }, steps)).toBe(steps);
    expect(await passesOf({ ...defaults, sampler, placement: 'cosine' }, steps)).toBe(steps);
  }
});

it('fast takes no more passes than steps', async () => {
  for (const steps of [2, 7, 16, TOTAL])
    expect(await passesOf({ ...defaults, sampler: 'fast' }, steps)).toBeLessThanOrEqual(steps);
});

it.each(samplerNames)(
  '%s takes the fewest and the most steps that it claims, and neither fewer nor more',
  async (sampler) => {
    const { least, most } = stepRange(sampler, length);
    for (const steps of [least, most]) expect(await passesOf({ ...defaults, sampler }, steps)).toBeGreaterThan(0);
    for (const steps of [least - 1, most + 1])
      await expect(passesOf({ ...defaults, sampler }, steps)).rejects.toThrow(UserError);
  },
);

it('refuses settings that would change nothing, and takes those that would', () => {
  expect(() => refuseUnused('halton', { placement: 'even' })).toThrow(UserError);
  expect(() => refuseUnused('strided', { remasking: 0.1 })).toThrow(/strided does not use remasking.*choose remask/);
  refuseUnused('remask', { placement: 'cosine', remasking: 0.1, steps: 3 });
});
