/** How pictures are read. */

import * as z from 'zod';
import { count, fraction, positive } from './ranges.ts';

export const pictures = z.strictObject({
  background: z
    .string()
    .regex(/^#[0-9a-f]{6}$/, 'is not a colour such as #ffffff')
    .default('#ffffff')
    .describe('what transparent pixels lie on, as #rrggbb'),
  crop: z
    .enum(['centre', 'pad', 'cover', 'random'])
    .default('centre')
    .describe(
      'the part of pictures that are not square: the middle square (centre), the whole picture on the background (pad), squares from end to end in turn, one a view (cover), or a random square near the middle (random)',
    ),
  flip: z.boolean().default(false).describe('mirror half of the pictures'),
  views: count(10_000)
    .default(1)
    .describe(
      'crops and mirrorings of a picture that the diffusion model learns from; the tokenizer sees a new one every epoch',
    ),
  duplicates: z
    .enum(['once', 'all'])
    .default('once')
    .describe('pictures that are equal byte for byte: trained on once, or each time they occur'),
  exclude: z
    .array(z.string().min(1))
    .default([])
    .describe('names of pictures to leave out, as data check lists them; * stands for anything'),
  maxPixels: positive().max(1000).default(100).describe('megapixels; larger pictures are left out undecoded'),
  holdOut: fraction()
    .max(0.5)
    .default(0)
    .describe(
      'share of the pictures that no stage learns from, for evaluate and reconstruct; new runs on files hold out 0.05',
    ),
});
