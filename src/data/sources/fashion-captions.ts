/** What Fashion-MNIST's ten classes are called. Words for its compact CLIP alone: the generator never sees them. */

import type { FASHION_CLASSES } from './fashion-mnist.ts';

export type FashionClass = (typeof FASHION_CLASSES)[number];

/** Nouns of each class, the class's own first. */
const NOUNS: Readonly<Record<FashionClass, readonly string[]>> = {
  'T-shirt': ['T-shirt', 'tee', 't-shirt with short sleeves', 'top'],
  trouser: ['trouser', 'pair of trousers', 'pair of pants'],
  pullover: ['pullover', 'sweater', 'jumper'],
  dress: ['dress', 'gown', 'frock'],
  coat: ['coat', 'overcoat', 'jacket'],
  sandal: ['sandal', 'open shoe', 'flip-flop'],
  shirt: ['shirt', 'button-up shirt', 'blouse'],
  sneaker: ['sneaker', 'running shoe', 'trainer'],
  bag: ['bag', 'handbag', 'purse'],
  'ankle boot': ['ankle boot', 'boot', 'bootie'],
};

const TEMPLATES = [
  (a: string) => a,
  (a: string) => `a photo of ${a}`,
  (a: string) => `a picture of ${a}`,
  (a: string) => `a black and white image of ${a}`,
  (a: string) => `${a} on a black background`,
] as const;

/** Caption number `wording` of a picture of the class: noun and sentence change with it. */
export function fashionCaption(label: FashionClass, wording: number): string {
  const nouns = NOUNS[label];
  const noun = nouns[Math.floor(wording / TEMPLATES.length) % nouns.length]!;
  return TEMPLATES[wording % TEMPLATES.length]!(withArticle(noun));
}

const withArticle = (noun: string): string => `${/^[aeiou]/i.test(noun) ? 'an' : 'a'} ${noun}`;
