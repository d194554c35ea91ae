/** The vocabulary of captions: how people name each style and colour. `{c}` is where the colour goes. */
import type { BeardStyle, Clothing, Eyes, EyewearStyle, HairStyle, HatStyle, Mouth } from './attributes.ts';
import type { Background, FabricColor, HairColor, Skin } from './palette.ts';

type Words = readonly [string, ...string[]];

export const hairColorWords: Readonly<Record<HairColor, Words>> = {
  black: ['black'],
  darkBrown: ['dark brown', 'brown'],
  brown: ['brown'],
  auburn: ['auburn', 'reddish brown'],
  darkBlonde: ['dark blonde', 'blonde', 'dirty blonde'],
  blonde: ['blonde', 'blond', 'golden'],
  platinum: ['platinum blonde', 'light blonde', 'blonde'],
  red: ['red', 'bright red', 'ginger'],
  pink: ['pink', 'pastel pink'],
  gray: ['gray', 'grey', 'silver', 'white'],
};

export const fabricColorWords: Readonly<Record<FabricColor, Words>> = {
  black: ['black'],
  gray: ['gray', 'grey'],
  white: ['white'],
  red: ['red'],
  pink: ['pink', 'light pink'],
  hotPink: ['pink', 'hot pink', 'bright pink'],
  yellow: ['yellow', 'pale yellow'],
  green: ['green', 'light green', 'mint green'],
  lightBlue: ['blue', 'light blue', 'sky blue'],
  blue: ['blue'],
  navy: ['dark blue', 'navy', 'navy blue', 'blue'],
};

export const backgroundWords: Readonly<Record<Background, Words>> = {
  white: ['white'],
  gray: ['gray', 'grey'],
  blue: ['blue', 'light blue'],
  green: ['green', 'light green'],
  yellow: ['yellow'],
  orange: ['orange'],
  pink: ['pink'],
  purple: ['purple', 'violet', 'lavender'],
};

const cropped: Words = ['short {c} hair', 'very short {c} hair', 'cropped {c} hair', 'a {c} buzz cut'];
const straight: Words = ['long {c} hair', 'long straight {c} hair', 'straight {c} hair'];

export const hairWords: Readonly<Record<HairStyle, Words>> = {
  bob: ['a {c} bob', 'chin-length {c} hair', 'a {c} bob haircut'],
  miaWallace: ['a {c} bob with bangs', '{c} hair with bangs', 'a {c} bob'],
  longButNotTooLong: ['shoulder-length {c} hair', 'medium-length {c} hair'],
  straight01: straight,
  straight02: straight,
  straightAndStrand: straight,
  curvy: ['long wavy {c} hair', 'long {c} hair', 'wavy {c} hair'],
  bigHair: ['big {c} hair', 'long {c} hair', 'voluminous {c} hair'],
  curly: ['curly {c} hair', 'big curly {c} hair', '{c} curls'],
  bun: ['{c} hair in a bun', 'a {c} bun', 'a {c} top knot'],
  frida: ['flowers in {c} hair', 'a flower crown', '{c} hair and a flower crown'],
  dreads: ['long {c} dreadlocks', '{c} dreads', '{c} dreadlocks'],
  dreads01: ['short {c} dreads', 'short {c} dreadlocks'],
  dreads02: ['spiky {c} hair', 'messy {c} hair', 'frizzy {c} hair'],
  fro: ['a {c} afro', 'a big {c} afro', 'big round {c} hair'],
  froBand: ['a {c} afro with a headband', 'a {c} afro'],
  shavedSides: ['{c} hair with shaved sides', 'a {c} undercut'],
  frizzle: ['a {c} quiff', 'a tuft of {c} hair'],
  shaggy: ['shaggy {c} hair', 'messy {c} hair', 'tousled {c} hair'],
  shaggyMullet: ['a {c} mullet', 'shaggy {c} hair'],
  shortCurly: ['short curly {c} hair', 'short {c} hair'],
  shortFlat: ['short {c} hair', 'short spiky {c} hair'],
  shortRound: ['short {c} hair', 'neat short {c} hair'],
  shortWaved: ['short wavy {c} hair', 'short {c} hair', 'a {c} quiff'],
  theCaesar: cropped,
  theCaesarAndSidePart: cropped,
  sides: ['{c} hair on the sides only', 'a receding hairline', 'a bald top'],
};

export const hatWords: Readonly<Record<HatStyle, Words>> = {
  hat: ['a {c} hat', 'a wide-brimmed {c} hat', 'a {c} sun hat', 'a big {c} hat'],
  winterHat1: ['a {c} hat', 'a {c} winter hat', 'a warm {c} hat', 'a {c} hat with ear flaps'],
  winterHat02: ['a {c} hat', 'a {c} winter hat', 'a {c} beanie', 'a {c} knit hat', 'a {c} woolly hat'],
  winterHat03: ['a {c} hat', 'a {c} winter hat', 'a {c} beanie'],
  winterHat04: ['a {c} hat', 'a {c} winter hat', 'a {c} hat with cat ears', 'a {c} hat with ears'],
  turban: ['a {c} turban'],
  hijab: ['a {c} hijab', 'a {c} headscarf'],
};

const glasses: Words = ['{c} glasses', 'a pair of {c} glasses', '{c} eyeglasses', '{c} spectacles', '{c} glasses'];
const shades: Words = ['{c} sunglasses', '{c} sunglasses', 'a pair of {c} sunglasses', '{c} shades', 'dark glasses'];

export const eyewearWords: Readonly<Record<EyewearStyle, Words>> = {
  prescription01: glasses,
  prescription02: glasses,
  round: [...glasses, 'round {c} glasses'],
  kurt: [...shades, 'big {c} sunglasses'],
  sunglasses: shades,
  wayfarers: shades,
  eyepatch: ['an eyepatch', 'an eye patch'],
};

export const beardWords: Readonly<Record<BeardStyle, Words>> = {
  beardLight: ['a {c} beard', 'a short {c} beard', 'a trimmed {c} beard', '{c} facial hair'],
  beardMedium: ['a {c} beard', 'a full {c} beard', '{c} facial hair'],
  beardMajestic: ['a {c} beard', 'a big {c} beard', 'a long {c} beard', 'a bushy {c} beard', '{c} facial hair'],
  moustacheFancy: ['a {c} moustache', 'a {c} mustache', 'a curled {c} moustache', '{c} facial hair'],
  moustacheMagnum: ['a {c} moustache', 'a {c} mustache', 'a thick {c} moustache', '{c} facial hair'],
};

const blazer: Words = ['a {c} blazer', 'a {c} jacket', 'a {c} suit jacket'];

export const clothingWords: Readonly<Record<Clothing, Words>> = {
  hoodie: ['a {c} hoodie', 'a {c} hoodie', 'a {c} hooded sweatshirt'],
  shirtCrewNeck: ['a {c} t-shirt', 'a {c} shirt', 'a {c} crew-neck shirt', 'a {c} top'],
  shirtScoopNeck: ['a {c} t-shirt', 'a {c} shirt', 'a {c} top', 'a {c} scoop-neck top'],
  shirtVNeck: ['a {c} v-neck', 'a {c} v-neck shirt', 'a {c} t-shirt', 'a {c} shirt'],
  graphicShirt: ['a {c} graphic t-shirt', 'a {c} printed t-shirt', 'a {c} t-shirt with a print', 'a {c} t-shirt'],
  overall: ['{c} overalls', '{c} dungarees'],
  collarAndSweater: ['a {c} sweater', 'a {c} jumper', 'a {c} sweater with a collar'],
  blazerAndShirt: blazer,
  blazerAndSweater: blazer,
};

/** Before a colour that is that of the clothes. */
export const dressedWords: Words = ['dressed in', 'in', 'all in'];

export const anyClothesWords: Words = ['{c} clothes', '{c} clothes', '{c} clothing', 'a {c} outfit'];

export const skinWords: Readonly<Record<Skin, Words>> = {
  light: ['light skin', 'fair skin', 'pale skin'],
  peach: ['light skin', 'fair skin'],
  tan: ['tan skin', 'tanned skin'],
  brown: ['brown skin'],
  dark: ['dark skin', 'dark brown skin'],
};

/** Expressions as adjectives ("a smiling man") and as things one has ("with a smile"). */
export interface Expression {
  readonly adjectives: readonly string[];
  readonly nouns: Words;
}

const smiling: Expression = {
  adjectives: ['smiling', 'smiling', 'happy', 'cheerful'],
  nouns: ['a smile', 'a happy face'],
};

export const mouthWords: Readonly<Record<Mouth, Expression>> = {
  smile: { ...smiling, nouns: ['a smile', 'a big smile', 'a happy face'] },
  default: smiling,
  twinkle: smiling,
  serious: {
    adjectives: ['serious', 'unsmiling'],
    nouns: ['a serious face', 'a serious expression', 'a neutral expression'],
  },
  sad: { adjectives: ['sad', 'frowning', 'unhappy'], nouns: ['a sad face', 'a frown', 'a sad expression'] },
  tongue: { adjectives: [], nouns: ['tongue out', 'the tongue sticking out'] },
  grimace: { adjectives: ['grimacing'], nouns: ['clenched teeth', 'gritted teeth', 'bared teeth'] },
  screamOpen: { adjectives: ['shouting', 'screaming'], nouns: ['an open mouth', 'a wide open mouth'] },
};

/** Only eyes a reader of a small picture would mention. */
export const eyesWords: Readonly<Partial<Record<Eyes, Expression>>> = {
  closed: { adjectives: [], nouns: ['closed eyes', 'eyes closed'] },
  wink: { adjectives: ['winking'], nouns: ['a wink'] },
  hearts: { adjectives: [], nouns: ['heart eyes', 'hearts for eyes', 'heart-shaped eyes'] },
  surprised: { adjectives: ['surprised'], nouns: ['wide eyes', 'wide open eyes'] },
};
