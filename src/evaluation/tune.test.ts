/** The choice of sampling settings, on scores that are known. */

import { expect, it } from 'vitest';
import { normals } from '../random/noise.ts';
import { combinations, passesOf, type ScorePictures, type TunedSettings, tune } from './tune.ts';

const at = (guidanceScale: number, truncation: number, steps: number): TunedSettings => ({
  guidanceScale,
  truncation,
  steps,
});
const noise = normals({ seed: 1, stream: 'tune', step: 0 }, 0, 1000);
/** Pictures of all settings share their luck, as those of the same prompts and seeds do. */
const scoring =
  (quality: (settings: TunedSettings) => number, calls: string[] = []): ScorePictures =>
  async (settings, from, to) => {
    calls.push(`${Object.values(settings).join()}:${from}-${to}`);
    return Float64Array.from({ length: to - from }, (_, i) => quality(settings) + noise[from + i]!);
  };
const common = { pictures: 10, finalists: 2, finalPictures: 30 };

it('every combination is a candidate, and what is used now is one too, once', () => {
  const values = { guidanceScale: [1, 2], truncation: [0.9], steps: [5, 10] };
  expect(combinations(values, at(2, 0.9, 5))).toHaveLength(4);
  expect(combinations(values, at(3, 0.9, 5))[0]).toEqual(at(3, 0.9, 5));
  expect(combinations(values, at(3, 0.9, 5))).toHaveLength(5);
  expect([passesOf(at(1, 1, 8)), passesOf(at(2, 1, 8))]).toEqual([8, 16]);
});

it('all are measured on the same pictures, the best and the current again on others, and the best is chosen', async () => {
  const calls: string[] = [];
  const current = at(1, 0.9, 10);
  const candidates = [current, at(2, 0.9, 10), at(3, 0.9, 10), at(4, 0.9, 10)];
  const score = scoring(({ guidanceScale }) => -((guidanceScale - 3) ** 2), calls);
  const { swept, finals, chosen, current: before } = await tune({ candidates, current, score, ...common });
  expect(swept.map(({ settings }) => settings.guidanceScale)).toEqual([3, 2, 4, 1]);
  expect(calls.slice(0, 4).every((call) => call.endsWith(':0-10'))).toBe(true);
  expect(calls.slice(4)).toEqual(['3,0.9,10:10-40', '2,0.9,10:10-40', '1,0.9,10:10-40']);
  expect(finals.map(({ settings }) => settings.guidanceScale)).toEqual([3, 2, 1]);
  expect([chosen.settings, before.settings]).toEqual([at(3, 0.9, 10), current]);
  expect(chosen.score).toMatchObject({ samples: 30 });
  expect(chosen.score.value - before.score.value).toBeCloseTo(4, 12);
});

it('of settings that nothing tells apart the cheapest is chosen', async () => {
  const current = at(2, 0.9, 40);
  const candidates = [current, at(2, 0.9, 10), at(1, 0.9, 10)];
  const equal = await tune({ candidates, current, score: scoring(() => 0), ...common, finalists: 3 });
  expect(equal.chosen.settings).toEqual(at(1, 0.9, 10));
  const score = scoring(({ guidanceScale }) => guidanceScale);
  const better = await tune({ candidates, current, score, ...common, finalists: 3 });
  expect(better.chosen.settings).toEqual(at(2, 0.9, 10));
});
