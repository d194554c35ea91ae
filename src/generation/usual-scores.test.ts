import { expect, it } from 'vitest';
import { usualScores } from './usual-scores.ts';

it('gives mean and deviation of the cosines of each text with the pictures', () => {
  const texts = Float32Array.of(1, 0, 0, 1);
  const pictures = Float32Array.of(0.6, 0.8, 0.8, 0.6, 1, 0);
  const [first, second] = usualScores(texts, pictures, 2);
  expect(first!.mean).toBeCloseTo(0.8, 6);
  expect(first!.deviation).toBeCloseTo(Math.sqrt(0.08 / 3), 6);
  expect(second!.mean).toBeCloseTo(1.4 / 3, 6);
});
