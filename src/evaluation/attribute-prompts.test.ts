import { expect, it } from 'vitest';
import { type AttributePrompt, attributeAccuracy, attributePrompts, bestRows } from './attribute-prompts.ts';
import { faceHeads } from './classifier/face-heads.ts';

const TWO: readonly AttributePrompt[] = [
  { prompt: 'a person with brown hair', attributes: { hairColor: ['brown', 'darkBrown'] } },
  { prompt: 'a bald person on a blue background', attributes: { head: ['bald'], background: ['blue'] } },
];
const SEEN = {
  hairColor: ['darkBrown', 'red', 'none'],
  head: ['hair', 'hair', 'bald'],
  background: ['blue', 'blue', 'red'],
};

it('counts an attribute as shown where the class is one of those that the words fit', () => {
  expect(attributeAccuracy(TWO, [[0, 1], [0]], SEEN)).toEqual({
    attributes: (1 + 0 + 0.5) / 3,
    whole: 1 / 3,
    byQuestion: { hairColor: 0.5, head: 0, background: 1 },
  });
});

it('finds the pictures that show most, the first of equals', () => {
  expect(bestRows(TWO, SEEN, 2)).toEqual([
    [0, 1],
    [0, 1],
  ]);
  expect(bestRows(TWO.slice(0, 1), { hairColor: ['red', 'brown'] }, 1)).toEqual([[1]]);
});

it('asks for one, two and three attributes, in classes that the classifier has', () => {
  const prompts = attributePrompts(60, 'known');
  const classes = new Map(faceHeads.map(({ name, classes }) => [name, classes]));
  expect(new Set(prompts.map(({ attributes }) => Object.keys(attributes).length))).toEqual(new Set([1, 2, 3]));
  for (const { attributes } of prompts)
    for (const [question, fits] of Object.entries(attributes))
      expect(classes.get(question)).toEqual(expect.arrayContaining([...fits]));
});

it('asks the same in held-out wording, without a sentence in common', () => {
  const [known, other] = [attributePrompts(60, 'known'), attributePrompts(60, 'held-out')];
  expect(other.map(({ attributes }) => attributes)).toEqual(known.map(({ attributes }) => attributes));
  for (const { prompt } of other)
    expect(prompt).not.toMatch(/person|wearing| with |on an? .* background|photo|portrait/);
});
