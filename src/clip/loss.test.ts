import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { float32, scalar } from '../base/ndarray.ts';
import * as g from '../graph/index.ts';
import { contrastiveLoss } from './loss.ts';

const engine = startKeepingEngine();
afterAll(() => engine.close());

const [batch, dim] = [5, 3];
const program = engine.compile(
  g.trace({ images: g.f32(batch, dim), texts: g.f32(batch, dim), logScale: g.f32() }, ({ images, texts, logScale }) => {
    const { loss, accuracy } = contrastiveLoss(images, texts, logScale);
    return { loss, accuracy, slope: g.grad(loss, logScale) };
  }),
);

async function run(images: readonly number[], texts: readonly number[], logScale: number) {
  const feeds = {
    images: float32(images, [batch, dim]),
    texts: float32(texts, [batch, dim]),
    logScale: scalar(logScale),
  };
  const out = await (await program).run(feeds);
  return { loss: out.loss!.data[0]!, accuracy: out.accuracy!.data[0]!, slope: out.slope!.data[0]! };
}

/** The definition, pair by pair, in float64. */
function expected(images: readonly number[], texts: readonly number[], scale: number): number {
  const row = (m: readonly number[], i: number) => m.slice(i * dim, (i + 1) * dim);
  const score = (i: number, j: number) => scale * row(images, i).reduce((sum, x, d) => sum + x * row(texts, j)[d]!, 0);
  const all = [...Array(batch).keys()];
  const nll = (own: number, scores: readonly number[]) =>
    Math.log(scores.reduce((sum, s) => sum + Math.exp(s - own), 0));
  const total = all.map(
    (i) =>
      nll(
        score(i, i),
        all.map((j) => score(i, j)),
      ) +
      nll(
        score(i, i),
        all.map((j) => score(j, i)),
      ),
  );
  return total.reduce((a, b) => a + b) / (2 * batch);
}

const matrix = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), {
  minLength: batch * dim,
  maxLength: batch * dim,
});

describe('contrastive loss', () => {
  it('is the mean of both cross-entropies', async () => {
    await fc.assert(
      fc.asyncProperty(matrix, matrix, fc.double({ min: 0, max: 3, noNaN: true }), async (images, texts, logScale) => {
        const { loss } = await run(images, texts, logScale);
        expect(loss).toBeCloseTo(expected(images, texts, Math.exp(logScale)), 3);
      }),
      { numRuns: 30 },
    );
  });

  it('is log batch where all look the same, and no one is more than the first', async () => {
    const same = Array<number>(batch * dim).fill(0.5);
    const { loss, accuracy } = await run(same, same, 1);
    expect(loss).toBeCloseTo(Math.log(batch), 5);
    expect(accuracy).toBeCloseTo(1 / batch, 6);
  });

  it('never scales by more than 100', async () => {
    const images = [1, 0, 0, 0, 1, 0, 0, 0, 1, 0.6, 0.8, 0, 0, 0.6, 0.8];
    const texts = [0.98, 0.199, 0, 0.1, 0.99, 0.1, 0, 0, 1, 0.6, 0.8, 0, 0, 0.9, 0.436];
    const [at, beyond] = [await run(images, texts, Math.log(100)), await run(images, texts, 9)];
    expect(beyond.loss).toBeCloseTo(at.loss, 4);
    expect((await run(images, texts, Math.log(50))).loss).not.toBeCloseTo(at.loss, 3);
    expect(beyond.slope).toBe(0);
  });
});
