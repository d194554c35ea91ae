/** What a sampler claims to cost, against the passes of the network that it asks for. */

import { expect, it } from 'vitest';
import { UserError } from '../../base/errors.ts';
import { maskReplaceSchedule } from '../schedule.ts';
import { refuseUnused, samplers } from './index.ts';
import type { Placement } from './sampler.ts';

const [TOTAL, TOKENS, CODES] = [20, 36, 5];
const schedule = maskReplaceSchedule({ steps: TOTAL, codes: CODES });
const { fast, ...exact } = samplers;

async function passesOf(sampler: (typeof samplers)[keyof typeof samplers], steps: number, placement?: Placement) {
  let passes = 0;
  const denoise = (tokens: Int32Array) => {
    passes++;
    return Promise.resolve(new Float32Array(tokens.length * CODES).fill(-Math.log(CODES)));
  };
  const options = { schedule, batch: 2, tokens: TOKENS, steps, placement, truncation: undefined };
  const tokens = await sampler(denoise, { ...options, noise: { seed: 0, samples: [0, 1] } });
  expect(Math.max(...tokens)).toBeLessThan(CODES);
  return passes;
}

it.each(Object.entries(exact))('%s takes as many passes as it has steps', async (_, sampler) => {
  for (const steps of [1, 2, 7, 16, TOTAL]) {
    expect(await passesOf(sampler, steps)).toBe(steps);
    expect(await passesOf(sampler, steps, 'cosine')).toBe(steps);
  }
});

it('fast takes no more', async () => {
  for (const steps of [2, 7, 16, TOTAL]) expect(await passesOf(fast, steps)).toBeLessThanOrEqual(steps);
});

it('refuses settings that would change nothing, and takes those that would', () => {
  expect(() => refuseUnused('purity', { placement: 'even' })).toThrow(UserError);
  expect(() => refuseUnused('strided', { remasking: 0.1 })).toThrow(/strided does not use remasking.*choose remask/);
  refuseUnused('remask', { placement: 'cosine', remasking: 0.1, steps: 3 });
});
