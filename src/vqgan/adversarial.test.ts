/**
 * The whole loss of the tokenizer's stage: resumed across the borders of its terms, and without the weights that LPIPS
 * needs.
 */

import { afterAll, describe, expect, it } from 'vitest';
import { distanceOfMeans } from '../../test/support/distance-of-means.ts';
import { evaluate, toValues } from '../../test/support/interpreter.ts';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { weights, worstError } from '../../test/support/numeric.ts';
import { picturesOf } from '../../test/support/pictures.ts';
import { UserError } from '../base/errors.ts';
import type { NDArray, Tree } from '../base/ndarray.ts';
import { float32, sizeOf } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import * as g from '../graph/index.ts';
import { adopt, type Parameter } from '../nn/parameters.ts';
import { normals } from '../random/noise.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import type { TokenizerRecipe } from '../recipe/schema.ts';
import type { Metrics, Stage } from '../stage/stage.ts';
import { generatorLoss } from './adversarial.ts';
import { balancedLoss } from './loss.ts';
import { lpipsParameters } from './lpips.ts';
import { lpipsDistance, type PerceptualDistance } from './perceptual.ts';
import { tokenizerStage } from './stage.ts';

const SIZE = 32;
const STEPS = 16;
/** Where the perceptual distance joins, the discriminator begins to train, and its loss to take part. */
const borders = { perceptual: 3, learning: 6, counting: 11 };

const recipe: TokenizerRecipe = {
  imageSize: SIZE,
  tokenizer: {
    ...makeRecipe('nano').tokenizer,
    channels: 8,
    channelMultipliers: [1],
    normGroups: 4,
    latentChannels: 4,
    codes: 8,
    codeDim: 4,
    batch: 2,
    steps: STEPS,
    autoencoderFraction: 0,
    klWarmup: 0.5,
    perceptualWeight: 1,
    perceptualNet: 'squeeze',
    perceptualAfter: borders.perceptual / STEPS,
    discriminatorWeight: 0.8,
    discriminatorStart: borders.counting / STEPS,
    discriminatorWarmup: (borders.counting - borders.learning) / STEPS,
    discriminatorLayers: 2,
    discriminatorChannels: 8,
  },
};
const images = Uint8Array.from(
  { length: 6 * SIZE * SIZE * 3 },
  (_, at) => (Math.imul(at >> 6, 2654435761) >>> 9) % 256,
);

/** LPIPS with random weights. */
function someDistance(): PerceptualDistance {
  const parameters = lpipsParameters('squeeze');
  const arrays = Object.entries(flatten<Parameter>(parameters)).map(([name, { shape }]): [string, NDArray] => {
    const gain = Math.sqrt(2 / sizeOf(shape.slice(1)));
    const values = normals({ seed: 1, stream: name, step: 0 }, 0, sizeOf(shape));
    return [
      name,
      float32(
        Float32Array.from(values, (z) => (name.startsWith('lin') ? Math.abs(z) : gain * z)),
        shape,
      ),
    ];
  });
  const params = adopt(parameters, Object.fromEntries(arrays), 'the test');
  return lpipsDistance({ net: 'squeeze', params, id: 'a'.repeat(64) });
}

const engine = startKeepingEngine();
afterAll(() => engine.close());

type Load = () => Promise<PerceptualDistance | undefined>;
const start = (loadPerceptual: Load, wanted: TokenizerRecipe = recipe): Stage =>
  tokenizerStage({
    engine,
    recipe: wanted,
    seed: 2,
    pictures: picturesOf(images, wanted.imageSize),
    fingerprint: 'test',
    loadPerceptual,
    onExport() {},
  });
const distance = someDistance();
const someWeights: Load = () => Promise.resolve(distance);
/** A stage knows weights by their hash. */
const otherWeights: Load = () => Promise.resolve({ ...distance, id: 'b'.repeat(64) });

interface Kept {
  readonly state: Tree<NDArray>;
  readonly host: Readonly<Record<string, NDArray>>;
}

async function prepared(stage: Stage, from?: Kept): Promise<Stage> {
  await engine.drop('');
  await stage.prepare();
  if (!from) return stage;
  await engine.drop('');
  await engine.load(from.state);
  stage.restore(from.host);
  return stage;
}

/** Run some steps, keeping the state before each. */
async function run(stage: Stage, from: number, to: number): Promise<{ metrics: Metrics[]; kept: Kept[] }> {
  const [metrics, kept]: [Metrics[], Kept[]] = [[], []];
  for (let step = from; step < to; step++) {
    kept.push({ state: structuredClone(await engine.read('')), host: stage.hostState() });
    metrics.push(await stage.run(step));
  }
  return { metrics, kept };
}

describe('the terms of the loss', () => {
  it('come at their steps, and a resumed run repeats the whole one across all borders', async () => {
    const means: Load = () => Promise.resolve(distanceOfMeans);
    const { metrics, kept } = await run(await prepared(start(means)), 0, STEPS);
    metrics.forEach((found, step) => {
      expect(Object.values(found).every(Number.isFinite)).toBe(true);
      expect('perceptual' in found, `the perceptual distance at ${step}`).toBe(step >= borders.perceptual);
      expect('discriminator' in found, `discriminator at ${step}`).toBe(step >= borders.learning);
      expect('adaptiveWeight' in found, `weight at ${step}`).toBe(step >= borders.counting);
    });
    // The discriminator has trained already before its loss takes part.
    expect(metrics[borders.counting]!.discriminator!).toBeLessThan(metrics[borders.learning]!.discriminator!);

    const stage = start(means);
    for (const step of Object.values(borders).flatMap((border) => [border - 1, border])) {
      await prepared(stage, kept[step]!);
      const resumed = await run(stage, step, step + 2);
      expect(resumed.metrics, `resumed at step ${step}`).toEqual(metrics.slice(step, step + 2));
    }
  });

  /** LPIPS from the first step on, and nothing else. */
  const perceptual: TokenizerRecipe = {
    imageSize: SIZE,
    tokenizer: { ...recipe.tokenizer, steps: 4, perceptualAfter: 0, discriminatorWeight: 0 },
  };

  it('leave LPIPS out where there are no weights, and go on', async () => {
    const stage = await prepared(start(() => Promise.resolve(undefined), perceptual));
    const { metrics, kept } = await run(stage, 0, 4);
    expect(metrics.every((found) => Number.isFinite(found.loss) && !('perceptual' in found))).toBe(true);
    // With weights at hand a resumed run still goes on as it began.
    const resumed = await run(await prepared(start(someWeights, perceptual), kept[2]!), 2, 4);
    expect(resumed.metrics).toEqual(metrics.slice(2, 4));
  });

  it('are not resumed with other weights than they had, or none', async () => {
    const stage = await prepared(start(someWeights, perceptual));
    const { metrics, kept } = await run(stage, 0, 1);
    expect(metrics[0]!.perceptual).toBeGreaterThan(0);
    const { host } = kept[0]!;
    expect(() => stage.restore(host)).not.toThrow();
    for (const load of [otherWeights, () => Promise.resolve(undefined)]) {
      const other = await prepared(start(load, perceptual));
      expect(() => other.restore(host)).toThrow(UserError);
      expect(() => other.restore(host)).toThrow(/`lpips`/);
    }
  });
});

describe('recipes', () => {
  it('whose pictures are too small for a term are refused', () => {
    const small = { imageSize: '24', 'tokenizer.channelMultipliers': '[1]' };
    expect(makeRecipe('nano', { ...small, 'tokenizer.discriminatorWeight': '1' }).imageSize).toBe(24);
    const lpips = { 'tokenizer.perceptualWeight': '1', 'tokenizer.perceptualNet': 'squeeze' };
    expect(() => makeRecipe('nano', { ...small, ...lpips })).toThrow(/LPIPS/);
    const deep = { 'tokenizer.discriminatorWeight': '1', 'tokenizer.discriminatorLayers': '4' };
    expect(() => makeRecipe('nano', { ...small, ...deep })).toThrow(/discriminatorLayers/);
  });
});

describe('the balanced loss', () => {
  it('has the gradient of likelihood + λ adversarial + divergence with λ held fast', () => {
    const arrays = { x: weights([1, 1, 4, 4], 1), w: weights([1, 1, 3, 3], 2), deep: weights([1, 1, 4, 4], 3) };
    const [x, w, deep] = [g.input('x', arrays.x), g.input('w', arrays.w), g.input('deep', arrays.deep)];
    const image = g.conv2d(g.tanh(deep), w, { pads: 1 });
    const divergence = g.mean(g.square(deep));
    const likelihood = g.mean(g.square(g.sub(x, image)));
    const adversarial = generatorLoss(g.sigmoid(g.mul(image, 3)));
    const { loss, adaptive } = balancedLoss(
      likelihood,
      { image, divergence },
      { adversarial, lastLayer: w, weight: 0.8 },
    );
    const direct = g.add(g.add(likelihood, g.mul(adversarial, g.stopGradient(adaptive))), divergence);
    const feeds = new Map([
      [x, toValues(arrays.x)],
      [w, toValues(arrays.w)],
      [deep, toValues(arrays.deep)],
    ]);
    const outputs = [loss, g.grad(loss, w), g.grad(loss, deep), direct, g.grad(direct, w), g.grad(direct, deep)];
    const values = evaluate(outputs, feeds).map(({ data }) => data);
    for (let i = 0; i < 3; i++) expect(worstError(values[i]!, values[i + 3]!)).toBeLessThan(1e-12);
    expect(Math.abs(values[0]![0]!)).toBeGreaterThan(0);
  });
});
