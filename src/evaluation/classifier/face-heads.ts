/** The questions a classifier of drawn faces answers, and the answers that the drawing gives. */

import type { FaceAttributes } from '../../data/sources/faces/attributes.ts';
import { keysOf } from '../../data/sources/faces/draws.ts';
import { backgrounds, fabricColors, hairColors } from '../../data/sources/faces/palette.ts';
import type { Head } from './network.ts';

interface Question extends Head {
  answer(face: FaceAttributes): string;
}

const NONE = 'none';

const questions: readonly Question[] = [
  { name: 'background', classes: keysOf(backgrounds), answer: ({ background }) => background },
  { name: 'head', classes: ['hair', 'hat', 'bald'], answer: ({ head }) => head.kind },
  {
    name: 'hairColor',
    classes: [NONE, ...keysOf(hairColors)],
    answer: ({ head }) => (head.kind === 'hair' ? head.color : NONE),
  },
  {
    name: 'eyewear',
    classes: [NONE, 'glasses', 'sunglasses', 'eyepatch'],
    answer: ({ eyewear }) => {
      if (!eyewear) return NONE;
      if (eyewear.style === 'eyepatch') return 'eyepatch';
      return eyewear.style === 'sunglasses' || eyewear.style === 'wayfarers' || eyewear.style === 'kurt'
        ? 'sunglasses'
        : 'glasses';
    },
  },
  {
    name: 'facialHair',
    classes: [NONE, 'beard', 'moustache'],
    answer: ({ facialHair }) => {
      if (!facialHair) return NONE;
      return facialHair.style.startsWith('beard') ? 'beard' : 'moustache';
    },
  },
  { name: 'clothesColor', classes: keysOf(fabricColors), answer: ({ clothes }) => clothes.color },
];

/** The questions that are asked of a face, with the names of their answers. */
export const faceHeads: readonly Head[] = questions.map(({ name, classes }) => ({ name, classes }));

/** By head: the number of each face's class, [faces]. */
export function faceLabels(faces: readonly FaceAttributes[]): Record<string, Int32Array> {
  return Object.fromEntries(
    questions.map(({ name, classes, answer }) => [
      name,
      Int32Array.from(faces, (face) => classes.indexOf(answer(face))),
    ]),
  );
}
