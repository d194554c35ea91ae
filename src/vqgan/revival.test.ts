/** Dead codes revived: what the new ones are, and codes that are starved on purpose and come back. */

import { afterAll, describe, expect, it } from 'vitest';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { picturesOf } from '../../test/support/pictures.ts';
import { float32, type NDArray, type Tree } from '../base/ndarray.ts';
import { normals } from '../random/noise.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import type { TokenizerRecipe } from '../recipe/schema.ts';
import type { Metrics } from '../stage/stage.ts';
import { deadCodes, forgetMoments, revive } from './revival.ts';
import { tokenizerStage } from './stage.ts';

const [CODES, DIM, LATENTS] = [6, 3, 60];

/** Logits of all codes for a latent. */
function logits({ proj }: ReturnType<typeof revive>['quantize'], x: ArrayLike<number>): number[] {
  return Array.from({ length: CODES }, (_, code) => {
    let sum = proj.bias.data[code]!;
    for (let d = 0; d < DIM; d++) sum += proj.weight.data[code * DIM + d]! * x[d]!;
    return sum;
  });
}

const draw = (stream: string, count: number) =>
  Float32Array.from(normals({ seed: 1, stream: `test/${stream}`, step: 0 }, 0, count));
const argmax = (values: readonly number[]) => values.indexOf(Math.max(...values));

describe('revival', () => {
  const dead = [2, 5];
  const bias = draw('bias', CODES).map((value, code) => (dead.includes(code) ? -1e4 : value));
  const quantize = {
    embed: { weight: float32(draw('embed', CODES * DIM), [CODES, DIM]) },
    proj: {
      weight: float32(draw('weight', CODES * DIM), [CODES, DIM, 1, 1]),
      bias: float32(bias, [CODES]),
    },
  };
  const rows = draw('rows', LATENTS * DIM);
  const row = (at: number) => rows.subarray(at * DIM, (at + 1) * DIM);
  const index = Int32Array.from({ length: LATENTS }, (_, at) => argmax(logits(quantize, row(at))));
  const counts = Array.from({ length: CODES }, (_, code) => index.filter((chosen) => chosen === code).length);
  const key = { seed: 3, stream: 'test/revival', step: 7 };
  const { revived, quantize: next } = revive(quantize, dead, { rows, index }, key);

  it('finds the codes that have been idle for long enough', () => {
    expect(deadCodes([0, 9, 10, 3, 11, 0], 10)).toEqual([2, 4]);
  });

  it('seeds every dead code inside a busy one and leaves the living alone', () => {
    expect(revived.map(({ code }) => code)).toEqual(dead);
    for (const { code, parent } of revived) {
      expect(counts[parent]!).toBeGreaterThan(LATENTS / CODES);
      expect(next.embed.weight.data.slice(code * DIM, (code + 1) * DIM)).toEqual(
        quantize.embed.weight.data.slice(parent * DIM, (parent + 1) * DIM),
      );
    }
    for (let code = 0; code < CODES; code++) {
      if (dead.includes(code)) continue;
      for (const [was, is] of [
        [quantize.embed.weight, next.embed.weight],
        [quantize.proj.weight, next.proj.weight],
      ] as const)
        expect(is.data.slice(code * DIM, (code + 1) * DIM)).toEqual(was.data.slice(code * DIM, (code + 1) * DIM));
      expect(next.proj.bias.data[code]).toBe(quantize.proj.bias.data[code]);
    }
  });

  it('gives a new code the latents nearer to its seed than to the mean of its parent', () => {
    const { code, parent } = revived[0]!;
    const mine = Array.from({ length: LATENTS }, (_, at) => at).filter((at) => index[at] === parent);
    const mean = Array.from({ length: DIM }, (_, d) => mine.reduce((sum, at) => sum + row(at)[d]!, 0) / mine.length);
    const distance = (x: ArrayLike<number>, y: ArrayLike<number>) =>
      Array.from({ length: DIM }, (_, d) => (x[d]! - y[d]!) ** 2).reduce((a, b) => a + b);
    // The difference of logits is proportional to that of the squared distances; which seed it was, the latents tell.
    const margins = (at: number) => logits(next, row(at))[code]! - logits(next, row(at))[parent]!;
    const ratios = mine.map((seed) =>
      mine.map((at) => margins(at) / (distance(row(at), mean) - distance(row(at), row(seed)))),
    );
    const spread = mine.reduce((sum, at) => sum + distance(row(at), mean), 0) / mine.length;
    const fits = ratios.map((all) => all.every((ratio) => Math.abs(ratio - 15 / spread) < 0.02 * (15 / spread)));
    expect(fits.filter(Boolean)).toHaveLength(1);
  });

  it('is a pure function of its key, and revives no more codes than there are busy latents', () => {
    expect(revive(quantize, dead, { rows, index }, key)).toEqual({ revived, quantize: next });
    const alone = { rows: rows.slice(0, DIM), index: Int32Array.of(0) };
    expect(revive(quantize, dead, alone, key).revived).toEqual([]);
  });

  it('forgets the moments of what a code was', () => {
    const cleared = forgetMoments(quantize, [1]);
    const expected = [...quantize.proj.bias.data].map((value, code) => (code === 1 ? 0 : value));
    expect([...cleared.proj.bias.data]).toEqual(expected);
    expect([...cleared.embed.weight.data.slice(DIM, 2 * DIM)]).toEqual([0, 0, 0]);
    expect(cleared.embed.weight.data.slice(2 * DIM)).toEqual(quantize.embed.weight.data.slice(2 * DIM));
  });
});

describe('starved codes', () => {
  const SIZE = 8;
  const images = Uint8Array.from(
    { length: 32 * SIZE * SIZE * 3 },
    (_, at) => (Math.imul(at >> 4, 2654435761) >>> 9) % 256,
  );
  const engine = startKeepingEngine();
  afterAll(() => engine.close());

  const recipeWith = (reviveAfter: number): TokenizerRecipe => ({
    imageSize: SIZE,
    tokenizer: {
      ...makeRecipe('nano').tokenizer,
      channels: 8,
      channelMultipliers: [1],
      normGroups: 4,
      latentChannels: 6,
      codes: 16,
      codeDim: 6,
      // Long enough for the moving average of use to forget where it began.
      steps: 100,
      autoencoderFraction: 0,
      klWeight: 0,
      reviveAfter,
    },
  });
  const start = (recipe: TokenizerRecipe) =>
    tokenizerStage({ engine, recipe, seed: 1, pictures: picturesOf(images, SIZE), fingerprint: 'test', onExport() {} });

  /**
   * A run in which all but four codes are pushed out of reach at the beginning, with the state before one of its steps.
   */
  async function starvedRun(recipe: TokenizerRecipe, keep: number) {
    const stage = start(recipe);
    await engine.drop('');
    await stage.prepare();
    const { shape, data } = (await engine.read('params.quantize.proj.bias')) as NDArray;
    const starved = Float32Array.from(data, (value, code) => (code < 4 ? value : -1e3));
    await engine.load({ params: { quantize: { proj: { bias: float32(starved, shape) } } } });
    const metrics: Metrics[] = [];
    let kept: Tree<NDArray> = {};
    for (let step = 0; step < recipe.tokenizer.steps; step++) {
      if (step === keep) kept = structuredClone(await engine.read(''));
      metrics.push(await stage.run(step));
    }
    return { metrics, kept };
  }

  it('stay away by themselves, and return with revival', async () => {
    const { metrics } = await starvedRun(recipeWith(0), 0);
    expect(metrics.at(-1)!.codesUsed).toBe(4);
    const [period, recipe] = [10, recipeWith(10)];
    const { metrics: revived, kept } = await starvedRun(recipe, period);
    expect(revived.at(-1)!.codesUsed).toBeGreaterThanOrEqual(12);
    expect(revived.slice(0, period)).toEqual(metrics.slice(0, period));

    // The first revival is part of the step: a run that is resumed just before repeats it.
    const stage = start(recipe);
    await stage.prepare();
    await engine.drop('');
    await engine.load(kept);
    const resumed: Metrics[] = [];
    for (let step = period; step < period + 3; step++) resumed.push(await stage.run(step));
    expect(resumed).toEqual(revived.slice(period, period + 3));
    expect(resumed[2]!.perplexity).not.toBe(metrics[period + 2]!.perplexity);
  });
});
