/** What several presets have in common. */

import type {
  DiffusionSettings,
  FinetuneSettings,
  PictureSettings,
  SamplingSettings,
  TokenizerSettings,
} from '../schema.ts';

/** Pictures as they are: their middle square. */
export const PICTURES: PictureSettings = { background: '#ffffff', crop: 'centre', flip: false, views: 1 };

/** A tokenizer that learns from pixels alone: neither LPIPS nor a discriminator, which cost more than the small presets themselves. */
export const LOSS_OF_PIXELS = {
  schedule: 'cosine',
  klWarmup: 0,
  reviveAfter: 0,
  perceptualWeight: 0,
  perceptualNet: 'vgg',
  perceptualAfter: 0,
  discriminatorWeight: 0,
  discriminatorStart: 0.5,
  discriminatorWarmup: 0.05,
  discriminatorLayers: 3,
  discriminatorChannels: 64,
  adversarialLoss: 'hinge',
  encode: 'argmax',
} as const satisfies Partial<TokenizerSettings>;

/** Cosine decay. The plateau settings are those of the paper's first stage on faces, for whoever switches to that schedule. */
export const COSINE_DECAY = {
  schedule: 'cosine',
  plateauSignal: 'loss',
  plateauFactor: 0.5,
  plateauPatience: 5000,
  plateauCooldown: 0,
  plateauThreshold: 0.1,
  minLearningRate: 1e-6,
} as const satisfies Partial<DiffusionSettings>;

/** Settings of the diffusion stage that only the paper's presets change. */
export const OUR_DIFFUSION = {
  ...COSINE_DECAY,
  fold: 1,
  emaWarmup: true,
  validateEvery: 2500,
  validationPictures: 16,
  validationPrompts: [] as string[],
  updateInPlace: false,
} as const satisfies Partial<DiffusionSettings>;

/** No second stage: guidance is learned from the start. */
export const ONE_STAGE: FinetuneSettings = {
  ...COSINE_DECAY,
  steps: 0,
  batch: 16,
  nullProbability: 0.1,
  learningRate: 1e-4,
  warmupSteps: 100,
};

/** Sampling without refinements: even times, the same guidance from beginning to end. */
export const PLAIN_SAMPLING = {
  placement: 'even',
  remasking: 0.05,
  guidanceSchedule: 'constant',
  guidanceFrom: 0,
  guidanceUntil: 1,
} as const satisfies Partial<SamplingSettings>;
