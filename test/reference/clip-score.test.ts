import { expect, it } from 'vitest';
import { hesselScore, pairCosines } from './clip-score.ts';

it('pairCosines does not depend on how long the vectors are', () => {
  expect([...pairCosines([3, 0, 1, 1], [7, 0, -2, 0], 2)]).toEqual([1, expect.closeTo(-Math.SQRT1_2, 12)]);
});

it('a cosine becomes CLIPScore by cutting at 0 and stretching by 2.5', () => {
  expect([0.3, -0.3].map(hesselScore)).toEqual([0.75, 0]);
});
