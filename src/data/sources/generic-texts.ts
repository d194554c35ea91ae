/** Texts as people type them, on no picture in particular: what the mean of text embeddings is taken over. */

import { facePairs } from './faces/source.ts';
import { fashionCaption } from './fashion-captions.ts';
import { FASHION_CLASSES } from './fashion-mnist.ts';

const COUNT = 512;
/** Faces that no model learns from and no measure uses. */
const FIRST_FACE = 3_800_000_000;

/**
 * Texts for models of a kind of data: captions of imagined faces, names of clothes, or for other pictures, things of
 * all kinds.
 */
export function genericTexts(spec: string): string[] {
  if (spec === 'faces') {
    const faces = facePairs({ seed: 0, count: COUNT, offset: FIRST_FACE });
    return Array.from({ length: COUNT }, (_, i) => faces.caption(i, 0));
  }
  if (spec === 'fashion-mnist')
    return FASHION_CLASSES.flatMap((label) =>
      Array.from({ length: 15 }, (_, wording) => fashionCaption(label, wording)),
    );
  return TEMPLATES.flatMap((template) => THINGS.map((thing) => template.replace('{}', thing)));
}

const TEMPLATES = ['{}', 'a photo of {}', 'a picture of {} in the sun', 'a close-up of {}', '{} on a plain background'];

const THINGS = [
  ...['a man', 'a woman', 'a child', 'an old person', 'a smiling face', 'a group of people', 'somebody with a hat'],
  ...['a dog', 'a cat', 'a bird', 'a horse', 'a fish', 'an insect', 'a wild animal', 'a flower', 'a tree', 'grass'],
  ...['a house', 'a street', 'a city at night', 'a room', 'a bridge', 'a tower', 'a shop', 'a garden', 'a kitchen'],
  ...[
    'a car',
    'a bicycle',
    'a train',
    'a boat',
    'a plane',
    'a table',
    'a chair',
    'a lamp',
    'a book',
    'a bag',
    'a shoe',
  ],
  ...[
    'a red object',
    'a blue object',
    'a green object',
    'something yellow',
    'something black and white',
    'food',
    'a cup',
  ],
  ...[
    'a mountain',
    'the sea',
    'a beach',
    'the sky',
    'a forest',
    'snow',
    'a painting',
    'a drawing',
    'a pattern',
    'a sign',
  ],
];
