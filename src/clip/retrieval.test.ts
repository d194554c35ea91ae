import { describe, expect, it } from 'vitest';
import { measureRetrieval, zeroShotAccuracy } from './retrieval.ts';

/** Unit vectors at angles, in turns. */
const circle = (turns: readonly number[]) =>
  Float32Array.from(turns.flatMap((turn) => [Math.cos(2 * Math.PI * turn), Math.sin(2 * Math.PI * turn)]));

const all = { at1: 1, at5: 1, at10: 1 };

describe('retrieval', () => {
  it('finds everything where pairs agree', () => {
    const rows = circle([0, 0.2, 0.4, 0.6, 0.8]);
    expect(measureRetrieval(rows, rows, 2)).toMatchObject({ imageToText: all, textToImage: all, among: 5, gap: 0 });
  });

  it('counts each direction by itself', () => {
    // Images 0 and 1 both lie nearest to text 0; every text lies nearest to its own image.
    const result = measureRetrieval(circle([0, 0.1, 0.5]), circle([0, 0.22, 0.5]), 2);
    expect(result.imageToText.at1).toBeCloseTo(2 / 3);
    expect(result.textToImage).toEqual(all);
  });

  it('compares within groups alone', () => {
    const images = circle([0, 0.5, 0, 0.5]);
    expect(measureRetrieval(images, images, 2, 2)).toMatchObject({ imageToText: all, among: 2 });
  });

  it('measures the gap between the means', () => {
    expect(measureRetrieval(circle([0.05, 0.95]), circle([0.45, 0.55]), 2).gap).toBeCloseTo(
      2 * Math.cos(Math.PI / 10),
      6,
    );
  });

  it('counts partners among the nearest k, equal texts being equally right', () => {
    // Image i lies at i/20 of a turn and its text half a turn away: its own text is the farthest of 20.
    const turns = Array.from({ length: 20 }, (_, i) => i / 20);
    const far = measureRetrieval(circle(turns), circle(turns.map((t) => t + 0.5)), 2);
    expect(far.imageToText).toEqual({ at1: 0, at5: 0, at10: 0 });
    // Three steps away: six texts are as near or nearer, one of them as near.
    const near = measureRetrieval(circle(turns), circle(turns.map((t) => t + 0.151)), 2);
    expect(near.imageToText).toEqual({ at1: 0, at5: 0, at10: 1 });
    const same = measureRetrieval(circle([0, 0.3, 0.7]), circle([0.2, 0.2, 0.6]), 2);
    expect(same.imageToText.at1).toBe(1);
  });

  it('is that of guessing where all embeddings are equal, and nothing where they are no numbers', () => {
    const turns = Array.from({ length: 20 }, (_, i) => i / 20);
    const equal = measureRetrieval(circle(turns), circle(turns.fill(0.2)), 2);
    expect(equal.imageToText).toEqual({ at1: 1 / 20, at5: 1 / 4, at10: 1 / 2 });
    const broken = measureRetrieval(circle([0, 0.3]), circle([Number.NaN, Number.NaN]), 2);
    expect(broken).toMatchObject({ imageToText: { at1: 0 }, textToImage: { at1: 0 } });
  });

  it('names the class that is nearest', () => {
    const right = zeroShotAccuracy(
      circle([0.01, 0.3, 0.9]),
      circle([0, 0.25]),
      (i, label) => [0, 1, 1][i] === label,
      2,
    );
    expect(right).toBeCloseTo(2 / 3);
  });
});
