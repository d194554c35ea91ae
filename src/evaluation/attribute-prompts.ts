/**
 * Prompts of one to three attributes, with the classes for which their words are true; in words of the captions, and in
 * others.
 */

import { type FaceAttributes, faceAttributes } from '../data/sources/faces/attributes.ts';
import { type Draws, drawsOf } from '../data/sources/faces/draws.ts';
import { withArticle } from '../data/sources/faces/phrases.ts';
import { backgroundWords, fabricColorWords, hairColorWords } from '../data/sources/faces/words.ts';
import { faceHeads, faceLabels } from './classifier/face-heads.ts';

/** `known`: built as captions are; `held-out`: sentences, and words between the attributes, that no caption has. */
export type Wording = 'known' | 'held-out';

export interface AttributePrompt {
  readonly prompt: string;
  /** By question of the classifier: the classes that fit the words. "Brown hair" fits two. */
  readonly attributes: Readonly<Record<string, readonly string[]>>;
}

/** Faces that no model learns from and no other measure uses. */
const FIRST_FACE = 3_600_000_000;

/** One attribute that a prompt may name: how each wording says it, and the classes that it fits. */
interface Part {
  readonly question: string;
  readonly fits: readonly string[];
  readonly known: Phrase;
  readonly other: readonly string[];
}
interface Phrase {
  readonly role: 'having' | 'wearing' | 'adjective' | 'backdrop';
  readonly text: string;
}

/**
 * Prompts for faces that no model has seen, with 1, 2 and 3 attributes in turn. The same arguments give the same
 * prompts.
 */
export function attributePrompts(count: number, wording: Wording): AttributePrompt[] {
  return Array.from({ length: count }, (_, i) => {
    const draws = drawsOf({ seed: 0, stream: 'evaluation.prompts', step: 0 }, i);
    const parts = draws.shuffle(partsOf(faceAttributes(0, FIRST_FACE + i), draws)).slice(0, 1 + (i % 3));
    return {
      prompt: wording === 'known' ? knownSentence(parts, draws) : otherSentence(parts, draws),
      attributes: Object.fromEntries(parts.map(({ question, fits }) => [question, fits])),
    };
  });
}

function partsOf(face: FaceAttributes, draws: Draws): Part[] {
  const { head, eyewear, facialHair, clothes, background } = face;
  const label = (name: string) => faceHeads.find((one) => one.name === name)!.classes[faceLabels([face])[name]![0]!]!;
  const parts: Part[] = [];
  const ground = draws.pick(backgroundWords[background]);
  parts.push({
    ...{ question: 'background', fits: classesCalled(ground, backgroundWords) },
    known: { role: 'backdrop', text: ground },
    other: [`whose background is ${ground}`, `background all ${ground}`],
  });
  const fabric = draws.pick(fabricColorWords[clothes.color]);
  // A hijab covers the clothes.
  if (!(head.kind === 'hat' && head.style === 'hijab'))
    parts.push({
      ...{ question: 'clothesColor', fits: classesCalled(fabric, fabricColorWords) },
      known: { role: 'wearing', text: `${fabric} clothes` },
      other: [`clad in ${fabric}`, `whose clothes are ${fabric}`],
    });
  if (head.kind === 'hair') {
    const color = draws.pick(hairColorWords[head.color]);
    parts.push({
      ...{ question: 'hairColor', fits: classesCalled(color, hairColorWords) },
      known: { role: 'having', text: `${color} hair` },
      other: [`whose hair is ${color}`, `hair dyed ${color}`],
    });
  } else
    parts.push({
      ...{ question: 'head', fits: [head.kind] },
      known: head.kind === 'bald' ? { role: 'adjective', text: 'bald' } : { role: 'wearing', text: 'a hat' },
      other: head.kind === 'bald' ? ['completely bald', 'lacking any hair'] : ['under a hat', 'hat on'],
    });
  if (eyewear && eyewear.style !== 'eyepatch') {
    const thing = label('eyewear');
    parts.push({
      ...{ question: 'eyewear', fits: [thing] },
      known: { role: 'wearing', text: thing },
      other: [`sporting ${thing}`, `who never takes off those ${thing}`],
    });
  }
  if (facialHair) {
    const thing = label('facialHair');
    parts.push({
      ...{ question: 'facialHair', fits: [thing] },
      known: { role: 'having', text: `a ${thing}` },
      other: [`who grew a ${thing}`, `sporting a ${thing}`],
    });
  }
  return parts;
}

/** The classes that a word may stand for. */
const classesCalled = (word: string, table: Readonly<Record<string, readonly string[]>>): string[] =>
  Object.keys(table).filter((name) => table[name]!.includes(word));

/** "a photo of a bald person with a beard wearing glasses on a blue background" */
function knownSentence(parts: readonly Part[], draws: Draws): string {
  const texts = (role: Phrase['role']) =>
    parts.filter(({ known }) => known.role === role).map(({ known }) => known.text);
  const [having, wearing, ground] = [texts('having'), texts('wearing'), texts('backdrop')];
  return [
    draws.pick(['', 'a photo of ', 'a portrait of ']) + ['a', ...texts('adjective'), 'person'].join(' '),
    ...(having.length > 0 ? [`with ${having.join(' and ')}`] : []),
    ...(wearing.length > 0 ? [`wearing ${wearing.join(' and ')}`] : []),
    ...ground.map((color) => `on ${withArticle(`a ${color}`)} background`),
  ].join(' ');
}

/** "please draw somebody whose hair is red, sporting glasses" */
function otherSentence(parts: readonly Part[], draws: Draws): string {
  const opening = draws.pick([
    'please draw somebody',
    'I would like to see an individual',
    'make me one of these people:',
  ]);
  return `${opening} ${parts.map(({ other }) => draws.pick(other)).join(', ')}`;
}

/** A classifier's answers on some pictures: by question, the class of each. */
export type Seen = Readonly<Record<string, readonly string[]>>;

export interface AttributeAccuracy {
  /** Mean share of the attributes of a prompt that its pictures show. */
  readonly attributes: number;
  /** Share of pictures that show all of them. */
  readonly whole: number;
  /** By question: share of the pictures that show it. */
  readonly byQuestion: Readonly<Record<string, number>>;
}

/** How far pictures show what their prompts name; `rows[i]` are those for prompt i, by their place in `seen`. */
export function attributeAccuracy(
  prompts: readonly AttributePrompt[],
  rows: readonly (readonly number[])[],
  seen: Seen,
): AttributeAccuracy {
  const counts: Record<string, { right: number; all: number }> = {};
  let [shares, whole, pictures] = [0, 0, 0];
  for (const [i, { attributes }] of prompts.entries())
    for (const row of rows[i]!) {
      const right = Object.entries(attributes).map(([question, fits]) => {
        const isRight = fits.includes(seen[question]![row]!);
        const count = counts[question] ?? { right: 0, all: 0 };
        counts[question] = count;
        count.all++;
        if (isRight) count.right++;
        return isRight;
      });
      shares += right.filter(Boolean).length / right.length;
      if (right.every(Boolean)) whole++;
      pictures++;
    }
  const byQuestion = Object.entries(counts).map(([name, { right, all }]) => [name, right / all] as const);
  return { attributes: shares / pictures, whole: whole / pictures, byQuestion: Object.fromEntries(byQuestion) };
}

/** The `k` pictures that show most of each prompt: what perfect retrieval would find. */
export function bestRows(prompts: readonly AttributePrompt[], seen: Seen, k: number): number[][] {
  const count = Object.values(seen)[0]!.length;
  return prompts.map(({ attributes }) => {
    const score = (row: number) =>
      Object.entries(attributes).filter(([question, fits]) => fits.includes(seen[question]![row]!)).length;
    const scores = Array.from({ length: count }, (_, row) => score(row));
    return scores
      .map((_, row) => row)
      .sort((a, b) => scores[b]! - scores[a]!)
      .slice(0, k);
  });
}
