/**
 * The paper's presets (arXiv 2403.14944 and its published configuration), not to be tuned. docs/paper.md says where
 * each number comes from and what the publications leave open. They list what differs from the schema's defaults.
 */

import type { RecipeInput } from '../schema.ts';
import { nano } from './ours.ts';

/** The Gumbel VQGAN. Its batch follows from the steps: 100 epochs of 70,000 faces are 218,750 steps of 32. */
const TOKENIZER = {
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
  temperatureEnd: 0.01,
  hardAfter: 0,
  klWeight: 5e-5,
  perceptualWeight: 1,
  discriminatorWeight: 0.8,
} satisfies RecipeInput['tokenizer'];

/** Lowered when the CLIP score of a validation no longer rises: all stages but the first on faces. */
const ON_CLIP_SCORE = {
  schedule: 'plateau',
  plateauSignal: 'clip-score',
  plateauCooldown: 3,
  plateauThreshold: 0.001,
  minLearningRate: 1e-7,
} satisfies RecipeInput['finetune'];

/** Steps in 500 epochs, the published upper limit, on one device. */
const epochs = (images: number, batch: number): number => 500 * Math.ceil(images / batch);
const [FFHQ_IMAGES, COCO_IMAGES] = [70_000, 82_783];

const DIFFUSION = {
  gammaBarEnd: 0.99999,
  layers: 24,
  dim: 512,
  heads: 16,
  mlp: 'conv',
  noiseScale: 0.5,
  nullProbability: 0,
  steps: epochs(FFHQ_IMAGES, 16),
  batch: 16,
  schedule: 'plateau',
  learningRate: 4.5e-4,
  warmupSteps: 2000,
  weightDecay: 0.045,
  emaDecay: 0.99,
  emaEvery: 25,
  emaWarmup: false,
  updateInPlace: true,
} satisfies RecipeInput['diffusion'];

/**
 * Faces: α 0.5, s 1.2. The first stage never drops the condition; the second one does, and so learns guidance. Weeks on
 * a GPU: the authors' length, not trained with this program yet (docs/scale.md has the time of a step).
 */
export const ffhq256 = {
  preset: 'ffhq-256',
  imageSize: 256,
  images: FFHQ_IMAGES,
  pictures: { crop: 'random', views: 4 },
  clip: nano.clip,
  tokenizer: TOKENIZER,
  diffusion: DIFFUSION,
  finetune: {
    ...ON_CLIP_SCORE,
    steps: epochs(FFHQ_IMAGES, 8),
    batch: 8,
    learningRate: 4e-6,
    warmupSteps: 30_000,
    plateauPatience: 15,
  },
  sampling: { steps: 100, guidanceScale: 1.2, truncation: 0.85, promptPrefix: 'a photograph of ' },
} satisfies RecipeInput;

/** Everyday scenes: α 0.25, s 3. As long as faces. */
export const coco256 = {
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
    learningRate: 1.5e-5,
    warmupSteps: 30_000,
    plateauPatience: 5,
  },
  sampling: { steps: 100, guidanceScale: 3, truncation: 0.85 },
} satisfies RecipeInput;
