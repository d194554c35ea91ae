import { afterAll, describe, expect, it } from 'vitest';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { float32, int32 } from '../base/ndarray.ts';
import * as g from '../graph/index.ts';
import { initialize } from '../nn/parameters.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { clipParameters, embedImages, embedTexts } from './towers.ts';

const settings = { ...makeRecipe('nano').clip, dim: 8, imageSize: 32, imageChannels: 8, textWidth: 6, textHidden: 10 };
// Tokens 0 … 9 are known, 10 … 18 are not, 19 is padding.
const [known, pad] = [10, 19];
const rows = Int32Array.from({ length: 20 }, (_, id) => Math.min(id, known));
const params = initialize(clipParameters(settings, known), 3);
const engine = startKeepingEngine();
afterAll(() => engine.close());

async function textRows(texts: readonly (readonly number[])[], length: number): Promise<number[][]> {
  const ids = texts.flatMap((text) => [...text, ...Array<number>(length - text.length).fill(pad)]);
  const program = g.trace({ tower: params.text, ids: g.i32(texts.length, length) }, (t) => ({
    y: embedTexts(t.tower, t.ids, rows),
  }));
  const { y } = await (await engine.compile(program)).run({
    tower: params.text,
    ids: int32(ids, [texts.length, length]),
  });
  return texts.map((_, i) => [...y!.data.slice(i * settings.dim, (i + 1) * settings.dim)].map(Number));
}

const norm = (row: readonly number[]) => Math.hypot(...row);
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

describe('text tower', () => {
  const texts = [[1], [1, 2, 3, 4, 5, 6, 7], [4, 4], [9, 8, 7]];

  it('gives a text the same unit vector alone as among longer ones', async () => {
    const together = await textRows(texts, 12);
    for (const [i, text] of texts.entries()) {
      const [alone] = await textRows([text], Math.max(3, text.length));
      for (const [d, x] of alone!.entries()) expect(together[i]![d]).toBeCloseTo(x, 5);
      expect(norm(together[i]!)).toBeCloseTo(1, 5);
    }
  });

  it('tells orders of the same words apart, even beyond neighbours', async () => {
    const [ab, ba, swapped] = await textRows(
      [
        [1, 2, 3, 4],
        [1, 4, 3, 2],
        [3, 2, 1, 4],
      ],
      6,
    );
    expect(dot(ab!, ba!)).toBeLessThan(0.999);
    expect(dot(ab!, swapped!)).toBeLessThan(0.999);
  });

  it('takes nothing from unknown tokens', async () => {
    const [one, other, many] = await textRows(
      [
        [1, 2, 11],
        [1, 2, 12],
        [1, 2, 11, 12, 11, 12],
      ],
      8,
    );
    for (let d = 0; d < settings.dim; d++) {
      expect(other![d]).toBeCloseTo(one![d]!, 6);
      expect(many![d]).toBeCloseTo(one![d]!, 6);
    }
  });

  it('has a gradient that counts every occurrence of a token', async () => {
    const [n, length] = [64, 40];
    const [ids, tower] = [Int32Array.from({ length: n * length }, (_, i) => (i * i) % 7), params.text];
    const inputs = { tower, nudged: tower, ids: g.i32(n, length) };
    const program = g.trace(inputs, (t) => {
      const score = (of: typeof t.tower) => g.sum(g.slice(embedTexts(of, t.ids, rows), 1, 0, 1));
      return { slope: g.grad(score(t.tower), t.tower.tokens.weight), low: score(t.tower), high: score(t.nudged) };
    });
    const [at, by] = [4 * settings.textWidth + 2, 0.02];
    const weight = float32(tower.tokens.weight.data.slice(), tower.tokens.weight.shape);
    weight.data[at]! += by;
    const feeds = { tower, nudged: { ...tower, tokens: { weight } }, ids: int32(ids, [n, length]) };
    const { slope, low, high } = await (await engine.compile(program)).run(feeds);
    const difference = (high!.data[0]! - low!.data[0]!) / by;
    expect(Math.abs(difference)).toBeGreaterThan(0.01);
    expect(slope!.data[at]! / difference).toBeCloseTo(1, 1);
  });
});

describe('image tower', () => {
  it('gives unit vectors that differ between pictures and do not depend on the batch', async () => {
    const size = 3 * 32 * 32;
    const pixels = Float32Array.from({ length: 3 * size }, (_, i) => Math.sin(i * (1 + Math.floor(i / size))));
    const rows = async (from: number, to: number) => {
      const program = g.trace({ tower: params.image, x: g.f32(to - from, 3, 32, 32) }, (t) => ({
        y: embedImages(t.tower, t.x),
      }));
      const x = float32(pixels.slice(from * size, to * size), [to - from, 3, 32, 32]);
      return (await (await engine.compile(program)).run({ tower: params.image, x })).y!;
    };
    const all = await rows(0, 3);
    expect(all.shape).toEqual([3, settings.dim]);
    const [first, second] = [0, 1].map((i) =>
      [...all.data.slice(i * settings.dim, (i + 1) * settings.dim)].map(Number),
    );
    expect(norm(first!)).toBeCloseTo(1, 5);
    expect(dot(first!, second!)).toBeLessThan(0.999);
    const alone = await rows(1, 2);
    for (const [d, x] of alone.data.entries()) expect(Number(x)).toBeCloseTo(second![d]!, 5);
  });
});
