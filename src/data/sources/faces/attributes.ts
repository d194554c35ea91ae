/**
 * What one face looks like: a complete record, chosen by us and handed to DiceBear piece by piece, so that drawn equals
 * recorded.
 */
import { type Draws, drawsOf, keysOf } from './draws.ts';
import {
  type Background,
  backgrounds,
  type FabricColor,
  fabricColors,
  type HairColor,
  hairColors,
  type Skin,
  skins,
} from './palette.ts';

/** Styles under DiceBear's names, with how often each is drawn. */
const longHairStyles = {
  bob: 3,
  miaWallace: 2,
  longButNotTooLong: 2,
  straight01: 3,
  straight02: 3,
  straightAndStrand: 3,
  curvy: 3,
  bigHair: 2,
  curly: 3,
  bun: 3,
  frida: 1,
} as const;
const otherHairStyles = {
  dreads: 2,
  dreads01: 1,
  dreads02: 1,
  fro: 3,
  froBand: 1,
  shavedSides: 1,
  frizzle: 1,
  shaggy: 2,
  shaggyMullet: 1,
} as const;
const shortHairStyles = {
  shortCurly: 3,
  shortFlat: 4,
  shortRound: 3,
  shortWaved: 3,
  theCaesar: 2,
  theCaesarAndSidePart: 2,
  sides: 2,
} as const;
const hairStyles = { ...longHairStyles, ...otherHairStyles, ...shortHairStyles };
const hatStyles = {
  hat: 6,
  winterHat1: 2,
  winterHat02: 4,
  winterHat03: 3,
  winterHat04: 2,
  turban: 2,
  hijab: 3,
} as const;
const eyewearStyles = {
  prescription01: 3,
  prescription02: 3,
  round: 3,
  kurt: 2,
  sunglasses: 2,
  wayfarers: 3,
  eyepatch: 1,
} as const;
const beardStyles = { beardLight: 2, beardMedium: 3, beardMajestic: 3, moustacheFancy: 2, moustacheMagnum: 2 } as const;
const clothing = {
  hoodie: 4,
  shirtCrewNeck: 3,
  shirtScoopNeck: 2,
  shirtVNeck: 2,
  graphicShirt: 3,
  overall: 2,
  collarAndSweater: 3,
  blazerAndShirt: 2,
  blazerAndSweater: 2,
} as const;
const graphics = { bat: 1, bear: 1, deer: 1, diamond: 1, hola: 1, pizza: 1, resist: 1, skull: 1 } as const;
const mouths = { smile: 6, default: 3, twinkle: 3, serious: 4, sad: 3, tongue: 1, grimace: 1, screamOpen: 1 } as const;
const eyeStyles = { default: 12, happy: 2, closed: 2, wink: 2, hearts: 1, surprised: 2, side: 1, squint: 1 } as const;
const eyebrowStyles = {
  defaultNatural: 4,
  default: 3,
  flatNatural: 2,
  raisedExcitedNatural: 1,
  upDownNatural: 1,
} as const;

export type HairStyle = keyof typeof hairStyles;
export type HatStyle = keyof typeof hatStyles;
export type EyewearStyle = keyof typeof eyewearStyles;
export type BeardStyle = keyof typeof beardStyles;
export type Clothing = keyof typeof clothing;
export type Graphic = keyof typeof graphics;
export type Mouth = keyof typeof mouths;
export type Eyes = keyof typeof eyeStyles;
export type Eyebrows = keyof typeof eyebrowStyles;

export type Head =
  | { readonly kind: 'hair'; readonly style: HairStyle; readonly color: HairColor }
  | { readonly kind: 'hat'; readonly style: HatStyle; readonly color: FabricColor }
  | { readonly kind: 'bald' };

export interface FaceAttributes {
  readonly head: Head;
  readonly eyewear: { readonly style: EyewearStyle; readonly color: FabricColor } | null;
  readonly facialHair: { readonly style: BeardStyle; readonly color: HairColor } | null;
  readonly clothes: { readonly style: Clothing; readonly color: FabricColor; readonly graphic: Graphic | null };
  readonly skin: Skin;
  readonly mouth: Mouth;
  readonly eyes: Eyes;
  readonly eyebrows: Eyebrows;
  readonly background: Background;
}

/**
 * Whom most viewers would take a haircut for: avatars have no sex, but captions say "woman" and "man". A beard goes
 * with long hair only now and then, and with a hijab never.
 */
export function hairReadsAs(style: HairStyle): 'woman' | 'man' | 'either' {
  if (style in longHairStyles) return 'woman';
  return style in shortHairStyles ? 'man' : 'either';
}

/** The face `index` of the endless sequence `seed`. */
export function faceAttributes(seed: number, index: number): FaceAttributes {
  const draws = drawsOf({ seed, stream: 'faces.attributes', step: 0 }, index);
  const hair = draws.pick(keysOf(hairColors));
  const head = drawHead(draws, hair);
  return {
    head,
    eyewear: draws.chance(0.45) ? drawEyewear(draws) : null,
    facialHair: draws.chance(beardProbability(head)) ? { style: draws.weigh(beardStyles), color: hair } : null,
    clothes: drawClothes(draws),
    skin: draws.pick(keysOf(skins)),
    mouth: draws.weigh(mouths),
    eyes: draws.weigh(eyeStyles),
    eyebrows: draws.weigh(eyebrowStyles),
    background: draws.pick(keysOf(backgrounds)),
  };
}

function drawHead(draws: Draws, hair: HairColor): Head {
  switch (draws.weigh({ hair: 68, hat: 25, bald: 7 })) {
    case 'hair':
      return { kind: 'hair', style: draws.weigh(hairStyles), color: hair };
    case 'hat':
      return { kind: 'hat', style: draws.weigh(hatStyles), color: draws.pick(keysOf(fabricColors)) };
    case 'bald':
      return { kind: 'bald' };
  }
}

function drawClothes(draws: Draws): FaceAttributes['clothes'] {
  const style = draws.weigh(clothing);
  const color = draws.pick(keysOf(fabricColors));
  return { style, color, graphic: style === 'graphicShirt' ? draws.weigh(graphics) : null };
}

/** An eyepatch is always black, whatever colour is set. */
function drawEyewear(draws: Draws): NonNullable<FaceAttributes['eyewear']> {
  const style = draws.weigh(eyewearStyles);
  const black = draws.chance(0.6) || style === 'eyepatch';
  return { style, color: black ? 'black' : draws.pick(['red', 'hotPink', 'blue', 'white'] as const) };
}

function beardProbability(head: Head): number {
  if (head.kind === 'bald') return 0.5;
  if (head.kind === 'hat') return head.style === 'hijab' ? 0 : 0.35;
  return hairReadsAs(head.style) === 'woman' ? 0.05 : 0.4;
}
