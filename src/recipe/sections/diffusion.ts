/** The diffusion model and its training, in one stage or two. */

import * as z from 'zod';
import { count, fraction, MOST, positive, stepsFrom0, weight } from './ranges.ts';

/** How the diffusion model is trained in one stage; the second stage of the paper has settings of its own. */
const regime = (defaults: { readonly learningRate: number; readonly warmupSteps: number }) => ({
  nullProbability: fraction()
    .default(0.1)
    .describe('share of the pictures trained without their condition, for guidance'),
  schedule: z
    .enum(['cosine', 'plateau'])
    .default('cosine')
    .describe('learning rate: cosine decay over the steps, or, as in the paper, lowered when a signal stops improving'),
  learningRate: positive().default(defaults.learningRate).describe('what the warm-up climbs to'),
  warmupSteps: stepsFrom0().default(defaults.warmupSteps).describe('steps in which the learning rate rises from 0'),
  plateauSignal: z
    .enum(['loss', 'clip-score'])
    .default('loss')
    .describe(
      'what must improve: the loss of every step, or the CLIP score of pictures made every validateEvery steps',
    ),
  plateauFactor: fraction().default(0.5).describe('what a plateau multiplies the learning rate by'),
  plateauPatience: stepsFrom0().default(5000).describe('signals without improvement before the rate falls'),
  plateauCooldown: stepsFrom0().default(0).describe('signals after a fall during which none counts as bad'),
  plateauThreshold: weight()
    .default(0.1)
    .describe('an improvement is larger than this: a share of the best loss, or an amount of CLIP score'),
  minLearningRate: weight().default(1e-6).describe('the plateau schedule stays above this'),
});

export const diffusion = z.strictObject({
  timesteps: count(100_000).default(100).describe('T, the length of the diffusion'),
  alphaBarStart: fraction().default(0.99999).describe('share of tokens that are kept after the first time'),
  alphaBarEnd: fraction().default(0.000009).describe('and after the last'),
  gammaBarStart: fraction().default(0.000009).describe('share of tokens that are masked after the first time'),
  gammaBarEnd: fraction().default(0.9).describe('and after the last'),
  layers: count(MOST.depth).describe('transformer blocks'),
  dim: count(MOST.width).describe('width of the transformer'),
  heads: count(MOST.depth).describe('attention heads; must divide dim'),
  mlp: z.enum(['conv', 'fc']).describe('feed-forward part of a block: two 3x3 convolutions or two linear layers'),
  mlpRatio: positive().max(1024).default(4).describe('width of the feed-forward part, as a multiple of dim'),
  fold: count(2)
    .default(1)
    .describe('side of the squares of tokens that the network takes as one position; 2 has a quarter of the positions'),
  noiseScale: weight()
    .default(0.25)
    .describe('α of the pseudo text embedding: how far a CLIP image embedding is pushed in a random direction'),
  auxiliaryWeight: weight().default(5e-4).describe('λ_aux, the weight of the x_0 term of the loss'),
  maskWeights: z
    .tuple([positive(), positive()])
    .default([1, 1])
    .describe('loss weights of masked tokens and of the others'),
  steps: count(MOST.steps).describe('training steps'),
  batch: count(MOST.batch).describe('pictures a step'),
  ...regime({ learningRate: 2e-3, warmupSteps: 50 }),
  beta1: fraction().default(0.9).describe('of AdamW'),
  beta2: fraction().default(0.96).describe('of AdamW'),
  weightDecay: weight().default(0.01).describe('of AdamW'),
  clipNorm: positive().default(0.5).describe('largest norm of the gradient; longer ones are scaled down to it'),
  emaDecay: fraction().default(0.995).describe('of the moving average of the weights, which is the model'),
  emaEvery: count(MOST.steps).default(1).describe('steps between two updates of the average'),
  emaWarmup: z
    .boolean()
    .default(true)
    .describe('whether the average starts short and lengthens to emaDecay; the paper has emaDecay from the start'),
  validateEvery: count(MOST.steps)
    .default(2500)
    .describe('steps between two CLIP scores, where they steer the learning rate'),
  validationPictures: count(MOST.batch).default(16).describe('pictures made for a CLIP score'),
  validationPrompts: z
    .array(z.string().min(1))
    .default([])
    .describe('prompts of those pictures; with none, they are made for the CLIP embeddings of training pictures'),
  updateInPlace: z
    .boolean()
    .default(false)
    .describe('write new weights over the old ones in a program of its own: half the memory for large models'),
});

/** One stage by default: guidance is learned from the start. */
export const finetune = z.strictObject({
  steps: stepsFrom0()
    .default(0)
    .describe('steps of the second stage, which teaches guidance to a model trained without; 0 is one stage only'),
  batch: count(MOST.batch).default(16).describe('pictures a step'),
  ...regime({ learningRate: 1e-4, warmupSteps: 100 }),
});
