/** From attributes to phrases: each topic of a face, in one of the wordings that its vocabulary offers. */
import { type FaceAttributes, hairReadsAs } from './attributes.ts';
import type { Draws } from './draws.ts';
import type { HairColor } from './palette.ts';
import * as words from './words.ts';

/** How often each topic is chosen, among those the face has. */
const topicWeights = {
  head: 5,
  eyewear: 5,
  facialHair: 5,
  clothes: 4,
  background: 5,
  mouth: 2.5,
  eyes: 1.5,
  skin: 1.5,
};
export type Topic = keyof typeof topicWeights;

export interface Phrase {
  /**
   * `adjective` goes before the noun, `after` behind it; `with` is something one has, `wearing` something one wears,
   * `backdrop` a bare colour.
   */
  readonly role: 'adjective' | 'after' | 'with' | 'wearing' | 'backdrop';
  readonly text: string;
}

/** `count` different topics that this face has something to show for (fewer when it has fewer), in random order. */
export function chooseTopics(face: FaceAttributes, count: number, draws: Draws): Topic[] {
  const left: Partial<Record<Topic, number>> = { ...topicWeights };
  // What the picture hardly shows is left out: a hijab covers the clothes, dark lenses the eyes.
  if (face.head.kind === 'hat' && face.head.style === 'hijab') delete left.clothes;
  if (!face.eyewear) delete left.eyewear;
  if (!face.facialHair) delete left.facialHair;
  if (!words.eyesWords[face.eyes] || hidesEyes(face)) delete left.eyes;
  const chosen: Topic[] = [];
  while (chosen.length < count && Object.keys(left).length > 0) {
    const topic = draws.weigh(left);
    chosen.push(topic);
    delete left[topic];
  }
  return chosen;
}

/** One way to say one topic. The topic must come from `chooseTopics` of the same face. */
export function phraseOf(topic: Topic, face: FaceAttributes, draws: Draws): Phrase {
  switch (topic) {
    case 'head':
      return headPhrase(face, draws);
    case 'eyewear': {
      const { style, color } = face.eyewear!;
      // Black is what glasses are: people say it less often than any other colour.
      const said = draws.chance(color === 'black' ? 0.2 : 0.6) && style !== 'eyepatch';
      return {
        role: 'wearing',
        text: colored(words.eyewearWords[style], said && words.fabricColorWords[color], draws),
      };
    }
    case 'facialHair':
      return beardPhrase(face.facialHair!, draws);
    case 'clothes': {
      const { style, color } = face.clothes;
      if (draws.chance(0.1))
        return {
          role: 'after',
          text: `${draws.pick(words.dressedWords)} ${draws.pick(words.fabricColorWords[color])}`,
        };
      const items = draws.chance(0.12) ? words.anyClothesWords : words.clothingWords[style];
      return { role: 'wearing', text: colored(items, draws.chance(0.88) && words.fabricColorWords[color], draws) };
    }
    case 'background':
      return { role: 'backdrop', text: draws.pick(words.backgroundWords[face.background]) };
    case 'mouth':
      return expressionPhrase(words.mouthWords[face.mouth], draws);
    case 'eyes':
      return expressionPhrase(words.eyesWords[face.eyes]!, draws);
    case 'skin':
      return skinPhrase(draws.pick(words.skinWords[face.skin]), draws);
  }
}

/** The parts of a face of which one can say which colour they have: "the hair is red". Empty where a topic has none. */
export function factOf(topic: Topic, face: FaceAttributes, draws: Draws): string {
  const { head, facialHair, clothes, background } = face;
  const fact = (things: readonly string[], colors: readonly string[]) => `${draws.pick(things)} ${draws.pick(colors)}`;
  switch (topic) {
    case 'head':
      if (head.kind === 'bald') return 'the head is bald';
      if (head.kind === 'hair') return fact(['the hair is', 'hair is', 'hair:'], words.hairColorWords[head.color]);
      return head.style === 'hijab' || head.style === 'turban'
        ? ''
        : fact(['the hat is', 'hat is', 'hat:'], words.fabricColorWords[head.color]);
    case 'facialHair': {
      const kind = facialHair!.style.startsWith('beard') ? 'beard' : 'moustache';
      return fact([`the ${kind} is`, `${kind}:`], words.hairColorWords[facialHair!.color]);
    }
    case 'clothes':
      return fact(['the clothes are', 'clothes are', 'clothes:'], words.fabricColorWords[clothes.color]);
    case 'background':
      return fact(['the background is', 'background is', 'background:'], words.backgroundWords[background]);
    default:
      return '';
  }
}

/**
 * What to call the person. Avatars have no sex: beards and cuts are read as most viewers would, the rest stays open.
 */
export function nounFor(face: FaceAttributes, draws: Draws): string {
  const { head, facialHair } = face;
  if (draws.chance(0.25)) return draws.pick(anyone);
  if (facialHair) return draws.pick(['man', 'man', 'man', 'guy', 'gentleman']);
  if (head.kind === 'hat') return head.style === 'hijab' ? 'woman' : draws.pick(anyone);
  if (head.kind === 'bald') return draws.pick(anyone);
  switch (hairReadsAs(head.style)) {
    case 'woman':
      return draws.pick(['woman', 'woman', 'woman', 'lady', 'girl']);
    case 'man':
      return draws.pick(['man', 'man', 'guy', 'boy']);
    case 'either':
      return draws.pick(anyone);
  }
}

const anyone = ['person', 'person', 'person', 'character', 'human'];

function hidesEyes({ eyewear }: FaceAttributes): boolean {
  return eyewear !== null && /^(kurt|sunglasses|wayfarers|eyepatch)$/.test(eyewear.style);
}

function headPhrase({ head }: FaceAttributes, draws: Draws): Phrase {
  switch (head.kind) {
    case 'bald':
      if (draws.chance(0.6)) return { role: 'adjective', text: 'bald' };
      return { role: 'with', text: draws.pick(['a bald head', 'no hair', 'a shaved head']) };
    case 'hat': {
      const said = draws.chance(0.8) && words.fabricColorWords[head.color];
      return { role: 'wearing', text: colored(words.hatWords[head.style], said, draws) };
    }
    case 'hair': {
      if (head.style === 'sides') {
        if (draws.chance(0.5)) return { role: 'adjective', text: 'balding' };
        return { role: 'with', text: colored(words.hairWords.sides, words.hairColorWords[head.color], draws) };
      }
      const color = words.hairColorWords[head.color];
      if (draws.chance(0.07)) return { role: 'adjective', text: `${draws.pick(color).replaceAll(' ', '-')}-haired` };
      const styles = draws.chance(0.25) ? (['{c} hair'] as const) : words.hairWords[head.style];
      return { role: 'with', text: colored(styles, (styles.length === 1 || draws.chance(0.85)) && color, draws) };
    }
  }
}

function beardPhrase(
  { style, color }: { style: keyof typeof words.beardWords; color: HairColor },
  draws: Draws,
): Phrase {
  if (style.startsWith('beard') && draws.chance(0.2)) return { role: 'adjective', text: 'bearded' };
  return {
    role: 'with',
    text: colored(words.beardWords[style], draws.chance(0.5) && words.hairColorWords[color], draws),
  };
}

function expressionPhrase({ adjectives, nouns }: words.Expression, draws: Draws): Phrase {
  if (adjectives.length > 0 && draws.chance(0.65)) return { role: 'adjective', text: draws.pick(adjectives) };
  return { role: 'with', text: draws.pick(nouns) };
}

function skinPhrase(skin: string, draws: Draws): Phrase {
  if (draws.chance(0.6)) return { role: 'with', text: skin };
  return { role: 'adjective', text: skin === 'tanned skin' ? 'tanned' : `${skin.replaceAll(' ', '-')}ned` };
}

/** Picks a wording and puts a colour, or none, in its place. */
function colored(wordings: readonly string[], colors: readonly string[] | false, draws: Draws): string {
  const color = colors ? `${draws.pick(colors)} ` : '';
  return withArticle(draws.pick(wordings).replace('{c} ', color));
}

/** "a" or "an", by the word that follows it. */
export function withArticle(text: string): string {
  return text.replace(/^an? (?=([a-z]))/, (_, letter: string) => ('aeiou'.includes(letter) ? 'an ' : 'a '));
}
