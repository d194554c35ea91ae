/** The official shortcut as a sampler: it ends clean, in as many steps as asked for. */
import { describe, expect, it } from 'vitest';
import { UserError } from '../../base/errors.ts';
import { maskReplaceSchedule } from '../process/schedule.ts';
import { fast, fastPlan } from './fast.ts';
import type { Denoiser, SamplerOptions } from './sampler.ts';

const schedule = maskReplaceSchedule({ steps: 12, codes: 3 });
const target = Int32Array.of(2, 0, 1, 1);
const certain: Denoiser = async () =>
  Float32Array.from([...target].flatMap((code) => [0, 1, 2].map((k) => (k === code ? 0 : -70))));

const options = (steps: number): SamplerOptions => ({
  schedule,
  batch: 1,
  tokens: 4,
  steps,
  truncation: undefined,
  noise: { seed: 1, samples: [0] },
});

describe('fast', () => {
  it.each([2, 4, 5, 12])('follows a certain denoiser in at most %d steps', async (steps) => {
    const times: number[] = [];
    const denoise: Denoiser = (tokens, t) => {
      times.push(t);
      return certain(tokens, t);
    };
    expect(await fast(denoise, options(steps))).toEqual(target);
    expect(times.length).toBeLessThanOrEqual(steps);
    expect([times[0], times.at(-1)]).toEqual([11, 0]);
  });

  it('is every time without a skip', () => {
    expect(fastPlan(5, 0).map(({ time, from }) => [time, from])).toEqual([4, 3, 2, 1, 0].map((t) => [t, t]));
  });

  it.each([0, 1, 13, 2.5])('refuses %d steps', async (steps) => {
    await expect(fast(certain, options(steps))).rejects.toThrow(UserError);
  });
});
