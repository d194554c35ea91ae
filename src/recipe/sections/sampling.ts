/** How pictures are drawn. */

import * as z from 'zod';
import { ownSettings, samplerNames } from '../../diffusion/samplers/index.ts';
import { count, fraction, positive, weight } from './ranges.ts';

/** The options of `clipvq generate` are read from here too. */
export const sampling = z.strictObject({
  sampler: z.enum(samplerNames).default('ancestral').describe('how codes are drawn; docs/samplers.md compares them'),
  ...ownSettings,
  steps: count(100_000).describe('reverse steps, each one pass of the network; at most diffusion.timesteps'),
  guidanceScale: weight()
    .default(2)
    .describe('how strongly the prompt is followed ("guidance scale"); 1 is no guidance'),
  guidanceSchedule: z
    .enum(['constant', 'rising', 'falling'])
    .default('constant')
    .describe('how guidance changes over a chain: the same throughout, or linearly from or to none'),
  guidanceFrom: fraction().default(0).describe('share of the chain before guidance begins; steps without it cost half'),
  guidanceUntil: fraction().default(1).describe('share of the chain after which guidance ends'),
  truncation: positive()
    .max(1)
    .default(0.9)
    .describe('keep the smallest set of codes whose probability reaches this; 1 keeps all'),
  promptPrefix: z.string().default('').describe('put before every prompt'),
  nullEmbedding: z
    .enum(['normalized', 'raw'])
    .default('normalized')
    .describe(
      'how the null condition enters guidance: at unit length, as in training, or raw, as the reference samples',
    ),
  correction: z
    .enum(['none', 'mean-shift', 'standardised', 'shrink', 'neighbour'])
    .default('none')
    .describe(
      'how prompts are brought to where the embeddings of pictures lie: moved by the difference of the means, by mean and deviation of each number, moved and drawn to the nearest pictures, or moved and drawn to one of the nearest, another for every seed, which settles what a prompt leaves open',
    ),
});
