/** The tokenizer and its training. */

import * as z from 'zod';
import { count, fraction, MOST, positive, stepsFrom0, weight } from './ranges.ts';

export const tokenizer = z.strictObject({
  patchSize: count(MOST.side).describe(
    'side of the squares of pixels that the network takes in as channels; 1 in the paper',
  ),
  channels: count(MOST.width).describe('channels at full resolution ("ch")'),
  channelMultipliers: z
    .array(count(1024))
    .min(1)
    .max(12)
    .describe('channels of each level, as multiples; each further level halves the resolution'),
  residualBlocks: count(MOST.depth).describe('residual blocks a level'),
  attentionResolutions: z
    .array(count(MOST.side))
    .default([])
    .describe('grid sizes at which attention blocks follow the residual blocks'),
  middleAttention: z
    .boolean()
    .default(false)
    .describe('whether an attention block stands between the two middle blocks'),
  normGroups: count(MOST.width)
    .default(8)
    .describe('groups of each group normalisation; must divide every number of channels'),
  latentChannels: count(MOST.width).describe('channels of the latent grid ("z_channels")'),
  codes: count(2 ** 20).describe('size of the codebook, K'),
  codeDim: count(MOST.width).describe('width of a code ("embed_dim")'),
  normalizeLatents: z
    .boolean()
    .default(true)
    .describe('whether latents are layer-normed at each position before they are quantized'),
  steps: count(MOST.steps).describe('training steps'),
  batch: count(MOST.batch).describe('pictures a step'),
  schedule: z
    .enum(['cosine', 'constant'])
    .default('cosine')
    .describe('learning rate after the warm-up: cosine decay over the steps, or constant, as in the paper'),
  learningRate: positive().default(1.5e-3).describe('what the warm-up climbs to'),
  warmupSteps: stepsFrom0().default(20).describe('steps in which the learning rate rises from 0'),
  beta1: fraction().default(0.9).describe('of Adam'),
  beta2: fraction().default(0.99).describe('of Adam'),
  autoencoderFraction: fraction()
    .default(0.28)
    .describe(
      'share of the run before codes exist: a plain autoencoder whose latents seed the codebook; 0 starts with codes',
    ),
  latentNoise: weight().default(0.3).describe('Gaussian noise on the latents of the plain autoencoder'),
  temperatureStart: positive().default(0.9).describe('Gumbel temperature, cosine from here'),
  temperatureEnd: positive().default(0.05).describe('to here'),
  hardAfter: fraction()
    .default(1)
    .describe(
      'share of the run after which the quantizer is straight-through (one-hot forward, soft gradient); before it is soft',
    ),
  klWeight: weight().default(5e-4).describe('weight of the KL divergence of the code distributions from uniform ones'),
  klWarmup: fraction()
    .default(0)
    .describe('share of the run with codes over which klWeight rises from 0; 0 has it in full at once'),
  reviveAfter: stepsFrom0()
    .default(0)
    .describe('steps without use after which a code is seeded anew inside a busy one; 0 never'),
  perceptualWeight: weight().default(0).describe('λ_p, the weight of the perceptual distance in the loss; 0 is none'),
  perceptualNet: z
    .enum(['vgg', 'alex', 'squeeze', 'clip'])
    .default('vgg')
    .describe('network whose features are compared: LPIPS with one of three, or the image tower of the compact CLIP'),
  perceptualAfter: fraction().default(0).describe('share of the run after which it counts'),
  discriminatorWeight: weight()
    .default(0)
    .describe('λ_disc, the share of the adversarial loss in the last gradient; 0 is no discriminator'),
  discriminatorStart: fraction().default(0.5).describe('share of the run after which the adversarial loss counts'),
  discriminatorWarmup: fraction()
    .default(0.05)
    .describe('share of the run before that in which the discriminator trains without affecting the tokenizer'),
  discriminatorLayers: count(12).default(3).describe('convolutions of stride 2 in front of the discriminator'),
  discriminatorChannels: count(MOST.width).default(64).describe('channels behind the first of them ("ndf")'),
  adversarialLoss: z.enum(['hinge', 'vanilla']).default('hinge').describe('what the discriminator minimises'),
  encode: z
    .enum(['argmax', 'sample'])
    .default('argmax')
    .describe(
      'how pictures become codes for the diffusion model: the most likely ones, or drawn, as the reference does',
    ),
});
