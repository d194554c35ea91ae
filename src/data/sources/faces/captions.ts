/** Captions in the words people type, true to the attributes they name. Only the compact CLIP learns from them. */
import type { FaceAttributes } from './attributes.ts';
import type { Draws } from './draws.ts';
import { chooseTopics, factOf, nounFor, type Phrase, phraseOf, withArticle } from './phrases.ts';

const topicCounts = { 1: 2, 2: 4, 3: 4, 4: 3, 5: 1.5, 6: 1 };
const layouts = { description: 6, list: 3, statement: 2, facts: 1.5 };

const openings = [
  'a photograph of',
  'a photograph of',
  'a photo of',
  'a portrait of',
  'portrait of',
  'a picture of',
  'an image of',
  'a close-up of',
  'a headshot of',
  'an avatar of',
  'a drawing of',
  'a sketch of',
  'a cartoon of',
  'an illustration of',
];
const backdrops = [
  'on a {c} background',
  'on a {c} background',
  'with a {c} background',
  'against a {c} background',
  'against a {c} backdrop',
  'in front of a {c} background',
  'in front of a {c} wall',
];

/** A caption of 1 to 6 attributes of a face: `draws` pick which ones, and their words. */
export function composeCaption(face: FaceAttributes, draws: Draws): string {
  const topics = chooseTopics(face, Number(draws.weigh(topicCounts)), draws);
  const noun = nounFor(face, draws);
  const layout = draws.weigh(layouts);
  const facts =
    layout === 'facts' ? topics.map((topic) => factOf(topic, face, draws)).filter((fact) => fact !== '') : [];
  const text =
    facts.length > 0
      ? facts.join(', ')
      : layOut(
          layout === 'facts' ? 'list' : layout,
          noun,
          topics.map((topic) => phraseOf(topic, face, draws)),
          draws,
        );
  return draws.chance(0.15) ? `${text.charAt(0).toUpperCase()}${text.slice(1)}.` : text;
}

function layOut(
  layout: Exclude<keyof typeof layouts, 'facts'>,
  noun: string,
  phrases: readonly Phrase[],
  draws: Draws,
): string {
  switch (layout) {
    case 'description':
      return description(noun, phrases, draws);
    case 'list':
      return list(noun, phrases, draws);
    case 'statement':
      return statement(noun, phrases, draws);
  }
}

/** "a photo of a smiling woman with long brown hair wearing glasses on a blue background" */
function description(noun: string, phrases: readonly Phrase[], draws: Draws): string {
  const { adjectives, after, having, wearing, backdrop } = byRole(phrases);
  const opening = draws.chance(0.45) ? `${draws.pick(openings)} ` : '';
  const article = opening !== '' || draws.chance(0.75) ? 'a ' : '';
  const parts = [withArticle(`${article}${[...adjectives, noun].join(' ')}`)];
  const traits = having.length > 0 ? [`with ${enumerate(having)}`] : [];
  const outfit = wearing.length > 0 ? [`${draws.pick(wearingVerbs(wearing, having))} ${enumerate(wearing)}`] : [];
  parts.push(...after, ...(draws.chance(0.75) ? [...traits, ...outfit] : [...outfit, ...traits]));
  if (backdrop !== undefined) parts.push(draws.pick(backdrops).replace('a {c}', withArticle(`a ${backdrop}`)));
  return opening + parts.join(' ');
}

/** "in glasses" is no English: only what covers the body or the head is worn "in"; and one "with" is enough. */
function wearingVerbs(wearing: readonly string[], having: readonly string[]): readonly string[] {
  if (wearing.every((item) => item.startsWith('a ') && !item.startsWith('a pair of'))) return ['in', 'wearing'];
  return having.length > 0 ? ['wearing'] : ['wearing', 'with'];
}

/** "portrait, black hat, glasses, pink background" */
function list(noun: string, phrases: readonly Phrase[], draws: Draws): string {
  const items = phrases.map(({ role, text }) =>
    role === 'backdrop' ? `${text} ${draws.pick(['background', 'background', 'backdrop'])}` : text.replace(/^an? /, ''),
  );
  const lead = draws.weigh({ none: 3, noun: 3, portrait: 2 });
  const first = lead === 'none' ? [] : [lead === 'noun' ? noun : draws.pick(['portrait', 'face', 'avatar'])];
  return [...first, ...draws.shuffle(items)].join(', ');
}

/** "the man has a beard, wears a red hoodie and is smiling, the background is blue" */
function statement(noun: string, phrases: readonly Phrase[], draws: Draws): string {
  const { adjectives, after, having, wearing, backdrop } = byRole(phrases);
  const predicates: string[] = [];
  if (having.length > 0) predicates.push(`has ${enumerate(having)}`);
  if (wearing.length > 0) predicates.push(`${draws.pick(['wears', 'is wearing'])} ${enumerate(wearing)}`);
  if (adjectives.length + after.length > 0) predicates.push(`is ${enumerate([...adjectives, ...after])}`);
  const subject = `${draws.pick(['the', 'this', 'a'])} ${noun}`;
  const setting = backdrop === undefined ? [] : [`the ${draws.pick(['background', 'backdrop'])} is ${backdrop}`];
  const person = predicates.length > 0 ? [`${subject} ${enumerate(predicates)}`] : [];
  return [...person, ...setting].join(', ');
}

interface PhrasesByRole {
  readonly adjectives: string[];
  readonly after: string[];
  readonly having: string[];
  readonly wearing: string[];
  readonly backdrop: string | undefined;
}

function byRole(phrases: readonly Phrase[]): PhrasesByRole {
  const texts = (role: Phrase['role']): string[] => phrases.filter((p) => p.role === role).map((p) => p.text);
  return {
    adjectives: texts('adjective'),
    after: texts('after'),
    having: texts('with'),
    wearing: texts('wearing'),
    backdrop: texts('backdrop')[0],
  };
}

/** "a", "a and b", "a, b and c" */
function enumerate(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}
