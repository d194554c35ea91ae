/**
 * Every stage over 2 and 4 ranks learns what one process learns. The ranks are in this process; what MPI itself does is
 * tested in `job.test.ts`.
 */

import { afterAll, expect, it } from 'vitest';
import type { NDArray, Tree } from '../../src/base/ndarray.ts';
import { flatten } from '../../src/base/tree.ts';
import { clipStage } from '../../src/clip/stage.ts';
import { pseudoText } from '../../src/diffusion/condition.ts';
import { latentsOf } from '../../src/diffusion/latents.ts';
import { transformerConfig } from '../../src/diffusion/model.ts';
import { diffusionStage } from '../../src/diffusion/stage.ts';
import { diffusionParameters } from '../../src/diffusion/transformer.ts';
import type { Engine } from '../../src/engine/engine.ts';
import * as g from '../../src/graph/index.ts';
import type { Ranks } from '../../src/mpi/ranks.ts';
import { initialize } from '../../src/nn/parameters.ts';
import { integers, normalBatch } from '../../src/random/noise.ts';
import { makeRecipe } from '../../src/recipe/recipe.ts';
import type { Metrics, Stage } from '../../src/stage/stage.ts';
import { tokenizerStage } from '../../src/vqgan/stage.ts';
import { startKeepingEngine } from '../support/keeping-engine.ts';
import { localRanks } from '../support/local-ranks.ts';
import { picturesOf } from '../support/pictures.ts';

const engines = [0, 1, 2, 3].map(startKeepingEngine);
afterAll(() => Promise.all(engines.map((engine) => engine.close())));

interface Made {
  readonly engine: Engine;
  readonly microBatches: number;
  readonly ranks?: Ranks;
}

interface Learned {
  /** Of each step. */
  readonly metrics: readonly Metrics[];
  /** What the stage keeps on the host, before each step. */
  readonly hosts: readonly Readonly<Record<string, NDArray>>[];
  /** Of each rank. */
  readonly weights: readonly Tree<NDArray>[];
}

async function walk(make: (made: Made) => Stage, made: Made): Promise<Learned> {
  const stage = make(made);
  await made.engine.drop('');
  await stage.prepare();
  const metrics: Metrics[] = [];
  const hosts: Learned['hosts'][number][] = [];
  for (let step = 0; step < stage.steps; step++) {
    hosts.push(structuredClone(stage.hostState()));
    metrics.push(await stage.run(step));
  }
  const [params, discriminator] = [await made.engine.read('params'), await made.engine.read('discriminator')];
  return { metrics, hosts, weights: [structuredClone({ params, discriminator })] };
}

const alone = (make: (made: Made) => Stage): Promise<Learned> => walk(make, { engine: engines[0]!, microBatches: 1 });

async function together(make: (made: Made) => Stage, size: number): Promise<Learned> {
  const all = await Promise.all(
    localRanks(size).map((ranks) => walk(make, { engine: engines[ranks.rank]!, microBatches: size, ranks })),
  );
  for (const { metrics } of all) expect(metrics).toEqual(all[0]!.metrics);
  return { ...all[0]!, weights: all.flatMap(({ weights }) => weights) };
}

/** How far metrics may be from those of one process, relatively; by default 1e-4. */
const TOLERANCES: Readonly<Record<string, number>> = {
  ...{ loss: 1e-5, crossEntropy: 1e-5 },
  // The gradients of opposing terms nearly cancel.
  ...{ gradientNorm: 1e-2, adaptiveWeight: 1e-2 },
};

/** Every metric of every step, the weights to 1e-4, and the same weights on every rank. */
function expectAlike(one: Learned, many: Learned): void {
  one.metrics.forEach((metrics, step) => {
    for (const [name, value] of Object.entries(metrics)) {
      const error = Math.abs(many.metrics[step]![name]! - value) / Math.max(Math.abs(value), 1e-3);
      expect(error, `${name} of step ${step}`).toBeLessThan(TOLERANCES[name] ?? 1e-4);
    }
  });
  const [expected, ...others] = [one, many].flatMap(({ weights }) => weights.map((tree) => flatten<NDArray>(tree)));
  for (const other of others) expect(other).toEqual(others[0]);
  for (const [path, { data }] of Object.entries(expected!)) {
    // Adding to all keys changes no attention: the gradient of that bias is nothing but rounding, which Adam enlarges.
    if (path.endsWith('key.bias')) continue;
    const error = Math.hypot(...Array.from(data, (x, i) => x - others[0]![path]!.data[i]!));
    expect(error, path).toBeLessThan(1e-4 * (1 + Math.hypot(...data)));
  }
}

/** Of every stage: long enough for each phase to have several, and for Adam's moments to be those of many. */
const STEPS = 24;

const diffusion = makeRecipe('nano', {
  'diffusion.layers': '1',
  'diffusion.dim': '16',
  'diffusion.heads': '2',
  'diffusion.steps': `${STEPS}`,
  'diffusion.batch': '4',
  'diffusion.timesteps': '4',
  'sampling.steps': '4',
  'diffusion.warmupSteps': '2',
});
const [size, tokens, dim] = [10, 64, 8];
const all = Array.from({ length: size }, (_, i) => i);
const features = normalBatch({ seed: 5, stream: 'features', step: 0 }, all, dim);
const codes = integers({ seed: 5, stream: 'codes', step: 0 }, 0, size * tokens, diffusion.tokenizer.codes);
const latents = latentsOf(Int32Array.from(codes), tokens, pseudoText(features, features, 0, dim), dim);

it.each(['diffusion', 'finetune'] as const)(
  '%s: every step over 2 and 4 ranks is that of one process',
  async (name) => {
    const initial = initialize(diffusionParameters(transformerConfig(diffusion, dim)), 11);
    const start = name === 'finetune' ? { initial } : {};
    const make = (made: Made) =>
      diffusionStage({ ...made, ...start, name, recipe: diffusion, seed: 7, latents, fingerprint: '', onExport() {} });
    const one = await alone(make);
    // Times are drawn by the history of losses, which is that of all ranks, once it has 10 of each.
    const byLosses = one.hosts.filter((host) => Array.from(host['times.count']!.data).every((count) => count > 10));
    expect(byLosses.length).toBeGreaterThan(5);
    expectAlike(one, await together(make, 2));
    expectAlike(one, await together(make, 4));
  },
);

it('clip: every step over 2 and 4 ranks compares all pictures with all texts, as one process does', async () => {
  const sizes = { dim: 8, imageSize: 16, imageChannels: 8, textWidth: 8, textHidden: 8, vocabulary: 300, context: 12 };
  const settings = { ...makeRecipe('nano').clip, ...sizes, steps: STEPS, batch: 4, captions: 2, gapWeight: 0.5 };
  const words = ['red', 'green', 'blue', 'grey', 'large', 'small'];
  const bytes = Uint8Array.from({ length: 12 * 16 * 16 * 3 }, (_, at) => (at * 7919 + (at >> 5) * 104_729) % 256);
  const caption = (index: number, wording: number) => `a ${words[index % 6]} ${words[(index + wording) % 6]} face`;
  const pairs = { images: bytes, size: 12, side: 16, caption };
  const make = (made: Made) => clipStage({ ...made, settings, seed: 7, pairs, fingerprint: '', folder: '' });
  const one = await alone(make);
  expectAlike(one, await together(make, 2));
  expectAlike(one, await together(make, 4));
});

/** A stand-in for LPIPS: any mean over pictures will do. */
const distance = {
  id: '0'.repeat(64),
  between: (x: g.Tensor, y: g.Tensor) => g.mean(g.square(g.sub(g.mean(x, [1]), g.mean(y, [1])))),
};

/**
 * Autoencoder, codebook from k-means, soft, hard, revival; a discriminator that warms up and is active. At ten times
 * the learning rate, or with codes that are nearly hard throughout, rounding grows by a factor of two a step, in one
 * process too: a single weight changed by 2e-7 moves the losses by 1e-2 within 30 steps.
 */
const tokenizer = {
  imageSize: 8,
  tokenizer: {
    ...makeRecipe('nano').tokenizer,
    ...{ patchSize: 1, channels: 4, channelMultipliers: [1], residualBlocks: 1, attentionResolutions: [] },
    ...{ middleAttention: false, normGroups: 2, latentChannels: 4, codes: 6, codeDim: 4, learningRate: 3e-5 },
    ...{ steps: STEPS, batch: 4, autoencoderFraction: 0.25, hardAfter: 0.75, reviveAfter: 2, warmupSteps: 10 },
    ...{ perceptualWeight: 0.5, perceptualAfter: 0.25, discriminatorWeight: 0.7, discriminatorStart: 0.75 },
    ...{ discriminatorWarmup: 0.5, discriminatorLayers: 1, discriminatorChannels: 4, temperatureEnd: 0.5 },
  },
};
const pixels = Uint8Array.from({ length: 12 * 8 * 8 * 3 }, (_, at) => (at * 7919 + (at >> 5) * 104_729) % 256);

it.each([
  [2, 'with a discriminator', {}],
  [4, 'without one', { discriminatorWeight: 0, perceptualWeight: 0 }],
] as const)(
  'tokenizer: every step over %i ranks, %s, is that of one process, in every phase',
  async (n, _, changes) => {
    const make = (made: Made) =>
      tokenizerStage({
        ...{ ...made, seed: 3, pictures: picturesOf(pixels, 8), fingerprint: '', onExport() {} },
        recipe: { ...tokenizer, tokenizer: { ...tokenizer.tokenizer, ...changes } },
        loadPerceptual: async () => distance,
      });
    expectAlike(await alone(make), await together(make, n));
  },
);
