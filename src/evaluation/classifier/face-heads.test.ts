/** Every face has an answer to every question, and every answer is some face's. */

import { expect, it } from 'vitest';
import { faceAttributes } from '../../data/sources/faces/attributes.ts';
import { faceHeads, faceLabels } from './face-heads.ts';

it('answers every question about every face, each answer for some of them', () => {
  const faces = Array.from({ length: 2000 }, (_, i) => faceAttributes(5, i));
  const labels = faceLabels(faces);
  for (const { name, classes } of faceHeads)
    expect([...new Set(labels[name]!)].sort((a, b) => a - b)).toEqual(classes.map((_, k) => k));
});

it('says what the drawing says', () => {
  const face = faceAttributes(5, 0);
  const labels = faceLabels([face]);
  const said = (head: string) => faceHeads.find(({ name }) => name === head)!.classes[labels[head]![0]!];
  expect(said('background')).toBe(face.background);
  expect(said('clothesColor')).toBe(face.clothes.color);
  expect(said('head')).toBe(face.head.kind);
  expect(said('eyewear') === 'none').toBe(face.eyewear === null);
  expect(said('facialHair') === 'none').toBe(face.facialHair === null);
});
