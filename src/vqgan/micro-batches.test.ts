/**
 * Micro-batches of the tokenizer: gradients, discriminator and histories are those of the unsplit batch, in every
 * phase.
 */

import { afterAll, describe, expect, it } from 'vitest';
import { distanceOfMeans } from '../../test/support/distance-of-means.ts';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { picturesOf } from '../../test/support/pictures.ts';
import type { NDArray } from '../base/ndarray.ts';
import { flatten, unflatten } from '../base/tree.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import type { TokenizerRecipe, TokenizerSettings } from '../recipe/schema.ts';
import type { Metrics, Stage } from '../stage/stage.ts';
import { tokenizerStage } from './stage.ts';
import { ADDED_UP } from './step.ts';

const SIZE = 8;
const images = Uint8Array.from({ length: 24 * SIZE * SIZE * 3 }, (_, at) => (at * 7919 + (at >> 5) * 104_729) % 256);
const engine = startKeepingEngine();
afterAll(() => engine.close());

/** Eight steps: autoencoder, soft, hard; a discriminator that learns from step 3 and counts from step 5. */
function recipeOf(changes: Partial<TokenizerSettings> = {}): TokenizerRecipe {
  const shape = {
    patchSize: 1,
    channels: 8,
    channelMultipliers: [1],
    residualBlocks: 1,
    attentionResolutions: [],
    middleAttention: false,
    normGroups: 4,
    latentChannels: 6,
    codes: 12,
    codeDim: 6,
  };
  const run = { steps: 8, batch: 8, autoencoderFraction: 0.25, hardAfter: 0.75, reviveAfter: 3, perceptualWeight: 0 };
  const rate = { learningRate: 1e-3, warmupSteps: 0, klWeight: 1e-2 };
  return {
    imageSize: SIZE,
    tokenizer: { ...makeRecipe('nano').tokenizer, ...shape, ...run, ...rate, ...changes },
  };
}
const GAME = {
  perceptualWeight: 0.5,
  perceptualAfter: 0.25,
  discriminatorWeight: 0.7,
  discriminatorStart: 0.6,
  discriminatorWarmup: 0.25,
  discriminatorLayers: 1,
  discriminatorChannels: 4,
};

type State = Record<string, NDArray>;

function start(recipe: TokenizerRecipe, microBatches: number) {
  return tokenizerStage({
    engine,
    recipe,
    seed: 3,
    pictures: picturesOf(images, SIZE),
    fingerprint: 'test',
    microBatches,
    loadPerceptual: async () => distanceOfMeans,
    onExport: () => {},
  });
}

const stateNow = async (): Promise<State> =>
  Object.fromEntries(
    Object.entries(flatten(structuredClone(await engine.read('')))).filter(
      ([path]) => !ADDED_UP.some((sum) => path.startsWith(sum)),
    ),
  );

/**
 * Every step of a run from the state that the unsplit run had before it, so that nothing but the step itself can
 * differ.
 */
async function eachStep(recipe: TokenizerRecipe, microBatches: number, from?: readonly State[]) {
  const stage = start(recipe, microBatches);
  await engine.drop('');
  await stage.prepare();
  const steps: { before: State; after: State; metrics: Metrics }[] = [];
  let before = await stateNow();
  for (let step = 0; step < stage.steps; step++) {
    if (from) {
      before = from[step]!;
      await engine.load(unflatten(before));
    }
    const metrics = await stage.run(step);
    const after = await stateNow();
    steps.push({ before, after, metrics });
    before = after;
  }
  return steps;
}

const size = (a: ArrayLike<number>): number => Math.hypot(...Array.from(a));
const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => size(Array.from(a, (x, i) => x - b[i]!));

/**
 * Adam's first moment moves by (1 − β1) of the gradient: its move is the gradient, and is not touched by Adam's
 * division.
 */
const moves = (before: State, after: State, path: string): number[] =>
  Array.from(after[path]!.data, (x, i) => x - 0.9 * before[path]!.data[i]!);

// The first, one in the middle and the last are programs or runs of their own: four parts have them all.
describe.each([
  ['of one picture, without a discriminator', 8, {}],
  ['of two pictures, with a discriminator and a perceptual distance', 4, GAME],
] as const)('micro-batches %s', (_, parts, changes) => {
  const recipe = recipeOf(changes);

  it('learn what the whole batch learns, in every phase', async () => {
    const whole = await eachStep(recipe, 1);
    const split = await eachStep(
      recipe,
      parts,
      whole.map(({ before }) => before),
    );
    expect(whole.map(({ metrics }) => Object.keys(metrics).sort())).toEqual(
      split.map(({ metrics }) => Object.keys(metrics).sort()),
    );
    for (const [step, { before, after, metrics }] of whole.entries()) {
      const other = split[step]!;
      for (const [name, value] of Object.entries(metrics))
        expect(other.metrics[name]! / value, `${name} at step ${step}`).toBeCloseTo(1, 3);
      const gradients = Object.keys(after).filter((path) => path.includes('adam.mean.'));
      const total = size(gradients.flatMap((path) => moves(before, after, path)));
      expect(total).toBeGreaterThan(0);
      for (const path of gradients) {
        const [expected, got] = [moves(before, after, path), moves(other.before, other.after, path)];
        expect(distance(expected, got), `${path} at step ${step}`).toBeLessThan(1e-3 * size(expected) + 1e-6 * total);
      }
      const histories = Object.keys(after).filter((path) => /^(usage|idle)$|buffers/.test(path));
      for (const path of histories)
        expect(distance(after[path]!.data, other.after[path]!.data), `${path} at step ${step}`).toBeLessThan(
          1e-4 * (1 + size(after[path]!.data)),
        );
    }
    const { adaptiveWeight, discriminator } = whole.at(-1)!.metrics;
    expect([adaptiveWeight !== undefined, discriminator !== undefined]).toEqual(
      'discriminatorWeight' in changes ? [true, true] : [false, false],
    );
  });
});

it('go on from a state that another number of parts has left', async () => {
  const recipe = recipeOf();
  const [stages, initial] = [new Map<number, Stage>(), new Map<number, State>()];
  for (const parts of [1, 8]) {
    stages.set(parts, start(recipe, parts));
    await engine.drop('');
    await stages.get(parts)!.prepare();
    initial.set(parts, structuredClone(flatten(await engine.read(''))));
  }
  const walk = async (partsOf: (step: number) => 1 | 8): Promise<number[]> => {
    const losses: number[] = [];
    let state: State = {};
    for (let step = 0; step < recipe.tokenizer.steps; step++) {
      const parts = partsOf(step);
      await engine.drop('');
      // What adds up over the parts is not in a checkpoint.
      await engine.load(unflatten({ ...initial.get(parts)!, ...state }));
      losses.push((await stages.get(parts)!.run(step)).loss);
      state = await stateNow();
    }
    return losses;
  };
  const whole = await walk(() => 1);
  const changing = await walk((step) => (step % 2 === 0 ? 8 : 1));
  changing.forEach((loss, step) => {
    expect(loss / whole[step]!).toBeCloseTo(1, 2);
  });
  expect(changing).not.toEqual(whole);
});

it('refuses micro-batches that do not divide the batch', () => {
  expect(() => start(recipeOf(), 3)).toThrow(/3 micro-batches do not divide a batch of 8: choose one of 1, 2, 4, 8/);
});
