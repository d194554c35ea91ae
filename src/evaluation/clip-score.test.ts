import { describe, expect, it } from 'vitest';
import { unitRows32 } from '../base/rows.ts';
import { finish } from '../base/steps.ts';
import { dot } from '../embedding/cosine.ts';
import { normals } from '../random/noise.ts';
import { clipScore } from './clip-score.ts';

const dim = 16;
const unitRows = (stream: string, rows: number) =>
  unitRows32(normals({ seed: 3, stream, step: 0 }, 0, rows * dim), dim);

describe('CLIP score', () => {
  const promptOf = Array.from({ length: 32 }, (_, i) => Math.floor(i / 4));

  it('is one, and significant, when every picture is its prompt', () => {
    const texts = unitRows('texts', 8);
    const images = new Float32Array(32 * dim);
    promptOf.forEach((p, i) => {
      images.set(texts.subarray(p * dim, (p + 1) * dim), i * dim);
    });
    const score = finish(clipScore(images, texts, promptOf, dim));
    expect(score.matched).toBeCloseTo(1, 5);
    expect(score.shuffled).toBeLessThan(0.5);
    expect(score.p).toBeLessThan(0.001);
  });

  it('is rarely significant when pictures ignore their prompts: p-values are spread evenly', () => {
    const texts = unitRows('texts', 8);
    const ps = Array.from(
      { length: 20 },
      (_, round) => finish(clipScore(unitRows(`noise ${round}`, 32), texts, promptOf, dim)).p,
    );
    expect(ps.filter((p) => p < 0.05).length).toBeLessThan(5);
    expect(ps.reduce((a, b) => a + b, 0) / ps.length).toBeGreaterThan(0.25);
  });

  it('is the same where cosines of all pictures with all prompts are too many to be kept', () => {
    const [images, texts] = [unitRows('noise', 32), unitRows('texts', 8)];
    const [kept, computed] = [4096, 0].map((most) => finish(clipScore(images, texts, promptOf, dim, most)));
    expect(computed).toEqual(kept);
    const others = promptOf.flatMap((own, i) =>
      Array.from({ length: 8 }, (_, j) => (j === own ? [] : [dot(images, i * dim, texts, j * dim, dim)])).flat(),
    );
    expect(computed!.shuffled).toBeCloseTo(others.reduce((a, b) => a + b) / others.length, 12);
  });

  it('scores the 30,000 captions of a protocol without a table of all pairs', () => {
    const many = 30_000;
    const rows = new Float32Array(many).fill(1);
    const steps = clipScore(
      rows,
      rows,
      Array.from(rows, (_, i) => i),
      1,
    );
    expect(steps.next().value).toBeGreaterThan(0);
  });

  it('gives no significance to a single prompt', () => {
    expect(finish(clipScore(unitRows('a', 4), unitRows('b', 1), [0, 0, 0, 0], dim)).p).toBe(1);
  });
});
