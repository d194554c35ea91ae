/** The compact CLIP. */

import * as z from 'zod';
import { count, MOST, positive, stepsFrom0, weight } from './ranges.ts';

export const clip = z.strictObject({
  dim: count(MOST.width).describe('width of the shared space of pictures and texts'),
  imageSize: count(MOST.side).describe('side of the pictures the image tower sees, in pixels'),
  imageChannels: count(MOST.width).describe(
    'channels of the first level of the image tower, at a quarter of the side; they double as the picture shrinks',
  ),
  textWidth: count(MOST.width).describe('width of the token embeddings'),
  textHidden: count(MOST.width).describe('width of the n-gram features of the text tower'),
  vocabulary: count(1e6).describe('size of the byte-pair vocabulary'),
  context: count(65_536).describe('longest text, in tokens'),
  pairs: count(MOST.pictures).describe(
    'captioned pictures the compact CLIP is trained on; the generator never sees them',
  ),
  steps: count(MOST.steps).describe('training steps'),
  batch: count(MOST.batch).describe('pictures a step'),
  captions: count(1000).default(4).describe('captions of each picture in a step, each in words of its own'),
  learningRate: positive().default(3e-3).describe('what the warm-up climbs to'),
  warmupSteps: stepsFrom0().default(30).describe('steps in which the learning rate rises from 0'),
  weightDecay: weight().default(0.05).describe('of AdamW'),
  gapWeight: weight()
    .default(0)
    .describe('weight of the squared distance between the mean picture and the mean text of a batch in the loss'),
  imageTower: z
    .string()
    .default('')
    .describe(
      'folder of a compact CLIP, or shipped: its image tower is kept as it is, and only the text tower learns; empty trains both',
    ),
  patience: stepsFrom0()
    .default(0)
    .describe(
      'measurements on held-out pairs, 20 in all, without a lower loss after which training stops, with the best weights so far; 0 never stops. New runs on a file of pairs have 5',
    ),
});
