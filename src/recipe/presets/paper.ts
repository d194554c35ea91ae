/**
 * The paper's presets (arXiv 2403.14944 and its published configuration), not to be tuned. docs/paper.md says where each
 * number comes from and what the publications leave open.
 */

import type { DiffusionSettings, FinetuneSettings, Recipe, TokenizerSettings } from '../schema.ts';
import { nano } from './ours.ts';
import { PLAIN_SAMPLING } from './parts.ts';

/** The Gumbel VQGAN. Its batch follows from the steps: 100 epochs of 70,000 faces are 218,750 steps of 32. */
const TOKENIZER: TokenizerSettings = {
  patchSize: 1,
  channels: 128,
  channelMultipliers: [1, 1, 2, 2, 4],
  residualBlocks: 2,
  attentionResolutions: [16],
  middleAttention: true,
  normGroups: 32,
  latentChannels: 256,
  codes: 4096,
  codeDim: 256,
  normalizeLatents: false,
  steps: 218_750,
  batch: 32,
  schedule: 'constant',
  learningRate: 4.5e-6 * 32,
  warmupSteps: 0,
  beta1: 0.5,
  beta2: 0.9,
  autoencoderFraction: 0,
  latentNoise: 0,
  temperatureStart: 0.9,
  temperatureEnd: 0.01,
  hardAfter: 0,
  klWeight: 5e-5,
  klWarmup: 0,
  reviveAfter: 0,
  perceptualWeight: 1,
  perceptualNet: 'vgg',
  perceptualAfter: 0,
  discriminatorWeight: 0.8,
  discriminatorStart: 0.5,
  discriminatorWarmup: 0.05,
  discriminatorLayers: 3,
  discriminatorChannels: 64,
  adversarialLoss: 'hinge',
  encode: 'argmax',
};

/** Lowered when the CLIP score of a validation no longer rises: all stages but the first on faces. */
const ON_CLIP_SCORE = {
  schedule: 'plateau',
  plateauSignal: 'clip-score',
  plateauFactor: 0.5,
  plateauCooldown: 3,
  plateauThreshold: 0.001,
  minLearningRate: 1e-7,
} as const satisfies Partial<FinetuneSettings>;

/** Steps in 500 epochs, the published upper limit, on one device. */
const epochs = (images: number, batch: number): number => 500 * Math.ceil(images / batch);
const [FFHQ_IMAGES, COCO_IMAGES] = [70_000, 82_783];

const DIFFUSION: DiffusionSettings = {
  timesteps: 100,
  alphaBarStart: 0.99999,
  alphaBarEnd: 0.000009,
  gammaBarStart: 0.000009,
  gammaBarEnd: 0.99999,
  layers: 24,
  dim: 512,
  heads: 16,
  mlp: 'conv',
  mlpRatio: 4,
  fold: 1,
  noiseScale: 0.5,
  nullProbability: 0,
  auxiliaryWeight: 5e-4,
  maskWeights: [1, 1],
  steps: epochs(FFHQ_IMAGES, 16),
  batch: 16,
  schedule: 'plateau',
  learningRate: 4.5e-4,
  warmupSteps: 2000,
  plateauSignal: 'loss',
  plateauFactor: 0.5,
  plateauPatience: 5000,
  plateauCooldown: 0,
  plateauThreshold: 0.1,
  minLearningRate: 1e-6,
  beta1: 0.9,
  beta2: 0.96,
  weightDecay: 0.045,
  clipNorm: 0.5,
  emaDecay: 0.99,
  emaEvery: 25,
  emaWarmup: false,
  validateEvery: 2500,
  validationPictures: 16,
  validationPrompts: [],
  updateInPlace: true,
};

/** Faces: α 0.5, s 1.2. The first stage never drops the condition; the second one does, and so learns guidance. */
export const ffhq256: Recipe = {
  preset: 'ffhq-256',
  imageSize: 256,
  images: FFHQ_IMAGES,
  pictures: { background: '#ffffff', crop: 'random', flip: false, views: 4 },
  clip: nano.clip,
  tokenizer: TOKENIZER,
  diffusion: DIFFUSION,
  finetune: {
    ...ON_CLIP_SCORE,
    steps: epochs(FFHQ_IMAGES, 8),
    batch: 8,
    nullProbability: 0.1,
    learningRate: 4e-6,
    warmupSteps: 30_000,
    plateauPatience: 15,
  },
  sampling: {
    sampler: 'ancestral',
    ...PLAIN_SAMPLING,
    steps: 100,
    guidanceScale: 1.2,
    truncation: 0.85,
    promptPrefix: 'a photograph of ',
    nullEmbedding: 'normalized',
  },
};

/** Everyday scenes: α 0.25, s 3. */
export const coco256: Recipe = {
  ...ffhq256,
  preset: 'coco-256',
  images: COCO_IMAGES,
  tokenizer: { ...TOKENIZER, steps: 385_300 },
  diffusion: {
    ...DIFFUSION,
    ...ON_CLIP_SCORE,
    noiseScale: 0.25,
    steps: epochs(COCO_IMAGES, 16),
    learningRate: 1.5e-5,
    warmupSteps: 30_000,
    plateauPatience: 5,
  },
  finetune: {
    ...ON_CLIP_SCORE,
    steps: epochs(COCO_IMAGES, 32),
    batch: 32,
    nullProbability: 0.1,
    learningRate: 1.5e-5,
    warmupSteps: 30_000,
    plateauPatience: 5,
  },
  sampling: { ...ffhq256.sampling, guidanceScale: 3, promptPrefix: '' },
};
