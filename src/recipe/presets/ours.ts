/** Our presets, for machines that people have. They list what differs from the schema's defaults. */

import type { RecipeInput } from '../schema.ts';

/** 64x64 pixels in 8x8 codes of 256, a transformer of 4 x 128: minutes on two cores. */
export const nano = {
  preset: 'nano',
  imageSize: 64,
  images: 6000,
  clip: {
    dim: 128,
    imageSize: 64,
    imageChannels: 24,
    textWidth: 64,
    textHidden: 192,
    vocabulary: 2048,
    context: 64,
    pairs: 6000,
    steps: 450,
    batch: 128,
  },
  tokenizer: {
    patchSize: 4,
    channels: 64,
    channelMultipliers: [1, 1],
    residualBlocks: 1,
    latentChannels: 32,
    codes: 256,
    codeDim: 32,
    steps: 2000,
    batch: 4,
    perceptualWeight: 0.15,
    perceptualNet: 'clip',
    perceptualAfter: 0.28,
  },
  diffusion: { layers: 4, dim: 128, heads: 4, mlp: 'fc', steps: 1000, batch: 32 },
  // Chosen by `clipvq bench samplers` (docs/samplers.md).
  sampling: { sampler: 'strided', placement: 'cosine', steps: 12 },
} satisfies RecipeInput;

/**
 * What `clipvq demo` trains, with the CLIP that is shipped: 64x64 pixels in 16x16 codes of 128, folded 2x2, seven
 * minutes on two cores (docs/log.md has what was tried). The diffusion model's steps are the most that it is given:
 * `cli/demo-plan.ts` fits them to the machine.
 */
export const demo = {
  ...nano,
  preset: 'demo',
  tokenizer: { ...nano.tokenizer, channelMultipliers: [1], codes: 128, steps: 2600 },
  diffusion: {
    ...nano.diffusion,
    fold: 2,
    batch: 16,
    steps: 3600,
    learningRate: 1.5e-3,
    auxiliaryWeight: 0.03,
  },
  // A model of so few steps draws cleaner faces when its surest codes come first; as many attributes are recognised.
  sampling: { sampler: 'purity', steps: 16, guidanceScale: 1.8, truncation: 0.85 },
} satisfies RecipeInput;

/** 64x64 pixels in 16x16 codes of 512, folded 2x2, a transformer of 6 x 160: an hour or two on two cores. */
export const small = {
  ...nano,
  preset: 'small',
  images: 20_000,
  clip: { ...nano.clip, pairs: 20_000, steps: 1500 },
  tokenizer: { ...nano.tokenizer, channels: 96, channelMultipliers: [1], codes: 512, batch: 8, steps: 10_000 },
  diffusion: {
    ...nano.diffusion,
    fold: 2,
    layers: 6,
    dim: 160,
    heads: 5,
    steps: 6000,
    learningRate: 1.5e-3,
    emaDecay: 0.999,
  },
  // Without guidance backgrounds are clean, and as many attributes are right at half the cost: a neighbour settles what
  // a prompt leaves open (docs/log.md).
  sampling: { ...demo.sampling, placement: 'cosine', guidanceScale: 1, correction: 'neighbour' },
} satisfies RecipeInput;

/**
 * 128x128 pixels in 16x16 codes of 1024, folded 2x2, a transformer of 6 x 160: two hours on two cores. The model that
 * is shipped was trained so (models/faces/TRAIN.md).
 */
export const base = {
  ...small,
  preset: 'base',
  imageSize: 128,
  clip: { ...small.clip, steps: 2000 },
  tokenizer: { ...nano.tokenizer, codes: 1024, batch: 8, steps: 7000 },
  diffusion: { ...small.diffusion, auxiliaryWeight: 0.01 },
} satisfies RecipeInput;

/**
 * Fashion-MNIST (docs/fashion.md): `nano` at half the side, since the pictures have 28 pixels, and longer: 20 minutes
 * on two busy cores.
 */
export const fashion = {
  ...nano,
  preset: 'fashion',
  imageSize: 32,
  images: 60_000,
  clip: { ...nano.clip, imageSize: 32, context: 24, pairs: 8000, steps: 800, captions: 2 },
  tokenizer: { ...nano.tokenizer, patchSize: 2, channelMultipliers: [1], codes: 128, steps: 3000, batch: 8 },
  diffusion: { ...demo.diffusion, steps: 6000, noiseScale: 0.6 },
  // As the study was measured.
  sampling: { sampler: 'purity', steps: 16, correction: 'shrink' },
} satisfies RecipeInput;
