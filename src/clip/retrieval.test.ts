import { describe, expect, it } from 'vitest';
import { measureRetrieval } from './retrieval.ts';

/** Unit vectors at angles, in turns. */
const circle = (turns: readonly number[]) =>
  Float32Array.from(turns.flatMap((turn) => [Math.cos(2 * Math.PI * turn), Math.sin(2 * Math.PI * turn)]));

describe('retrieval', () => {
  it('finds everything where pairs agree', () => {
    const rows = circle([0, 0.2, 0.4, 0.6, 0.8]);
    expect(measureRetrieval(rows, rows, 2)).toMatchObject({ imageToText: 1, textToImage: 1, among: 5, gap: 0 });
  });

  it('counts each direction by itself', () => {
    // Images 0 and 1 both lie nearest to text 0; every text lies nearest to its own image.
    const result = measureRetrieval(circle([0, 0.1, 0.5]), circle([0, 0.22, 0.5]), 2);
    expect(result.imageToText).toBeCloseTo(2 / 3);
    expect(result.textToImage).toBe(1);
  });

  it('compares within groups alone', () => {
    const images = circle([0, 0.5, 0, 0.5]);
    expect(measureRetrieval(images, images, 2, 2)).toMatchObject({ imageToText: 1, among: 2 });
  });

  it('measures the gap between the means', () => {
    expect(measureRetrieval(circle([0.05, 0.95]), circle([0.45, 0.55]), 2).gap).toBeCloseTo(
      2 * Math.cos(Math.PI / 10),
      6,
    );
  });
});
