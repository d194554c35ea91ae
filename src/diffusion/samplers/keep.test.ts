/** Codes that are known are lost by no sampler, and the others are drawn as if around them. */

import { describe, expect, it } from 'vitest';
import { firstTimes, marginal, maskReplaceSchedule } from '../process/schedule.ts';
import { drawTokens, ownSettings, samplerNames } from './index.ts';
import { keeping, unmaskedCodes } from './keep.ts';
import type { Denoiser, Sampler, SamplerProgress } from './sampler.ts';

const codes = 5;
const tokens = 16;
/** Replacement is common here: samplers that keep what they have drawn would keep what they should not. */
const schedule = maskReplaceSchedule({ steps: 8, codes, alphaBarEnd: 0.1, gammaBarEnd: 0.7 });
const samples = [3, 11, 12, 40];
/** Half of the codes of each picture are known, others for each. */
const known = Int32Array.from({ length: samples.length * tokens }, (_, i) =>
  (i + Math.floor(i / tokens)) % 2 === 0 ? (7 * i) % codes : codes,
);
const isKnown = (i: number) => known[i] !== codes;

/** A prediction that has nothing against any code, and sees to what it is given. */
const even: Denoiser = async (current) => {
  for (const [i, code] of known.entries()) if (isKnown(i)) expect(current[i]).toBe(code);
  return new Float32Array(current.length * codes).fill(Math.log(1 / codes));
};
const own = Object.fromEntries(Object.entries(ownSettings).map(([name, schema]) => [name, schema.parse(undefined)]));
const options = { schedule, batch: samples.length, tokens, steps: 5, truncation: 0.8, noise: { seed: 1, samples } };
const named =
  (sampler: (typeof samplerNames)[number]): Sampler =>
  (denoise, chain) =>
    drawTokens({ ...own, sampler } as Parameters<typeof drawTokens>[0], denoise, chain);

describe.each(samplerNames)('%s', (name) => {
  it('loses none of the known codes, at any step, and draws the others', async () => {
    const seen: SamplerProgress[] = [];
    const onStep = (progress: SamplerProgress) => seen.push(progress);
    const drawn = await keeping(named(name), known)(even, { ...options, onStep });
    const lost = (all: Int32Array) => known.filter((code, i) => isKnown(i) && all[i] !== code).length;
    expect([lost(drawn), ...seen.map((progress) => lost(progress.tokens))]).toEqual([0, ...seen.map(() => 0)]);
    expect(seen).not.toEqual([]);
    expect(drawn.every((code) => code >= 0 && code < codes)).toBe(true);
    const again = { ...options, noise: { seed: 2, samples } };
    const other = await keeping(named(name), known)(even, again);
    expect(other.filter((code, i) => code !== drawn[i]).length).toBeGreaterThan(5);
  });
});

it('refuses known codes of another number than there are tokens', async () => {
  await expect(keeping(named('ancestral'), known.subarray(1))(even, options)).rejects.toThrow(RangeError);
});

describe('codes that are left of a picture', () => {
  const picture = Int32Array.from({ length: 400 }, (_, i) => i % codes);

  it('are as many as the forward process leaves, and all its own', () => {
    for (const times of [1, 4, 8]) {
      const early = firstTimes(schedule, times);
      const left = unmaskedCodes(early, picture, { seed: 1, samples: Array.from({ length: 50 }, (_, i) => i) });
      const masked = left.filter((code) => code === codes).length / left.length;
      expect(Math.abs(masked - marginal(schedule, times - 1).gamma)).toBeLessThan(0.02);
      for (const [i, code] of left.entries()) if (code !== codes) expect(code).toBe(picture[i % 400]);
    }
  });

  it('depend on their own sample index alone', () => {
    const all = unmaskedCodes(schedule, picture, { seed: 1, samples: [4, 9] });
    expect(all.subarray(400)).toEqual(unmaskedCodes(schedule, picture, { seed: 1, samples: [9] }));
    expect(all.subarray(0, 400)).not.toEqual(all.subarray(400));
  });
});

it('the first times of a schedule are those of the whole one, and its clean state', () => {
  const early = firstTimes(schedule, 3);
  for (const t of [-1, 0, 2]) expect(marginal(early, t)).toEqual(marginal(schedule, t));
  expect(early.steps).toBe(3);
  expect(() => marginal(early, 3)).toThrow(RangeError);
  for (const times of [0, 9, 1.5]) expect(() => firstTimes(schedule, times)).toThrow(RangeError);
});
