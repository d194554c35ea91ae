/**
 * Captions read back by a grammar of this file's own and held against DiceBear's report of the drawing: every word must
 * be known, every claim true, and every colour must belong to the thing it stands beside.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { type FaceAttributes, faceAttributes } from './attributes.ts';
import { avatarOf } from './avatar.ts';
import { composeCaption } from './captions.ts';
import { drawsOf } from './draws.ts';
import { facePairs } from './source.ts';

type Extra = Record<string, unknown>;
type Palette = Record<string, string>;

/** Colour word -> the hex digits it may stand for. */
const hair: Palette = {
  black: '2c1b18',
  'dark brown': '4a312c',
  brown: '724133 4a312c',
  auburn: 'a55728',
  'reddish brown': 'a55728',
  blonde: 'b58143 d6b370 ecdcbf',
  blond: 'd6b370',
  golden: 'd6b370',
  'dark blonde': 'b58143',
  'dirty blonde': 'b58143',
  'platinum blonde': 'ecdcbf',
  'light blonde': 'ecdcbf',
  red: 'c93305',
  'bright red': 'c93305',
  ginger: 'c93305',
  pink: 'f59797',
  'pastel pink': 'f59797',
  gray: 'e8e1e1',
  grey: 'e8e1e1',
  silver: 'e8e1e1',
  white: 'e8e1e1',
};
const fabric: Palette = {
  black: '262e33',
  gray: '929598',
  grey: '929598',
  white: 'ffffff',
  red: 'ff5c5c',
  pink: 'ffafb9 ff488e',
  'light pink': 'ffafb9',
  'hot pink': 'ff488e',
  'bright pink': 'ff488e',
  yellow: 'ffffb1',
  'pale yellow': 'ffffb1',
  green: 'a7ffc4',
  'light green': 'a7ffc4',
  'mint green': 'a7ffc4',
  blue: '65c9ff 5199e4 25557c',
  'light blue': '65c9ff',
  'sky blue': '65c9ff',
  'dark blue': '25557c',
  navy: '25557c',
  'navy blue': '25557c',
};
const ground: Palette = {
  white: 'ffffff',
  gray: 'b4b8bf',
  grey: 'b4b8bf',
  blue: '7ab8ff',
  'light blue': '7ab8ff',
  green: '93d89a',
  'light green': '93d89a',
  yellow: 'ffe47a',
  orange: 'ffb066',
  pink: 'ffb3cb',
  purple: 'bfa0ee',
  violet: 'bfa0ee',
  lavender: 'bfa0ee',
};

interface Claim {
  readonly pattern: RegExp;
  readonly holds: (extra: Extra, color: string | undefined) => boolean;
}

/** A claim about one part of the drawing; `{c}` in the pattern is an optional colour from the palette. */
function claim(pattern: string, key: string, allowed: RegExp, palette?: Palette, colorKey = `${key}Color`): Claim {
  return {
    pattern: new RegExp(
      `(?<![\\w-])${pattern.replace('{c}', `(?:(${words(palette ?? {}).replaceAll(' ', '[ -]')})[ -])?`)}(?![\\w-])`,
    ),
    holds: (extra, color) =>
      allowed.test(String(extra[key])) &&
      (color === undefined || palette![color]!.includes(String(extra[colorKey]).slice(1))),
  };
}

/** "The hair is red", "hair: red". */
const fact = (thing: string, key: string, allowed: RegExp, palette: Palette, colorKey = `${thing}Color`): Claim => ({
  pattern: new RegExp(`(?<![\\w-])${thing}(?: is| are|:) (${words(palette)})`),
  holds: claim('', key, allowed, palette, key === 'facialHair' ? 'facialHairColor' : colorKey).holds,
});

const lensless = /^(prescription0[12]|round)$/;
const dark = /^(kurt|sunglasses|wayfarers)$/;
const beard = /^beard/;
const anyHair = /^(?!hat|hijab|turban|winter|undefined)/;
const long = /^(straight|curvy|bigHair|dreads$)/;
const short = /^(short|theCaesar)/;
const hats = /^(hat|winterHat)/;

/** Longer claims first: what one has read, the next no longer sees. */
const claims: Claim[] = [
  { pattern: new RegExp(`(?:background|backdrop)(?: is|:) (${words(ground)})`), holds: onGround },
  fact('hair', 'top', anyHair, hair),
  fact('hat', 'top', hats, fabric),
  fact('beard', 'facialHair', beard, hair),
  fact('moustache', 'facialHair', /^moustache/, hair),
  fact('clothes', 'clothing', /./, fabric, 'clothesColor'),
  { pattern: new RegExp(`(${words(ground)}) (?:background|backdrop|wall)`), holds: onGround },
  claim('(?:hearts for eyes|heart-shaped eyes|heart eyes)', 'eyes', /^hearts$/),
  claim('(?:closed eyes|eyes closed)', 'eyes', /^closed$/),
  claim('(?:wide open eyes|wide eyes|surprised)', 'eyes', /^surprised$/),
  claim('(?:winking|wink)', 'eyes', /^wink$/),
  claim('(?:(?:wide )?open mouth|shouting|screaming)', 'mouth', /^screamOpen$/),
  claim('(?:(?:clenched|gritted|bared) teeth|grimacing)', 'mouth', /^grimace$/),
  claim('(?:tongue out|tongue sticking out)', 'mouth', /^tongue$/),
  claim('(?:sad (?:face|expression)|sad|frowning|frown|unhappy)', 'mouth', /^sad$/),
  claim('(?:(?:serious|neutral) (?:face|expression)|serious|unsmiling)', 'mouth', /^serious$/),
  claim('big smile', 'mouth', /^smile$/),
  claim('(?:smiling|smile|happy face|happy|cheerful)', 'mouth', /^(smile|default|twinkle)$/),
  claim('(?:light|fair)[ -]skin(?:ned)?', 'skinColor', /ffdbb4|edb98a/),
  claim('pale[ -]skin(?:ned)?', 'skinColor', /ffdbb4/),
  claim('(?:tan[ -]skin(?:ned)?|tanned(?: skin)?)', 'skinColor', /d08b5b/),
  claim('(?:dark|dark[ -]brown)[ -]skin(?:ned)?', 'skinColor', /614335/),
  claim('brown[ -]skin(?:ned)?', 'skinColor', /ae5d29/),
  claim('(?:a pair of |pair of |big )?{c}(?:sunglasses|shades)', 'accessories', dark, fabric, 'accessoriesColor'),
  claim('dark glasses', 'accessories', dark),
  claim('round {c}glasses', 'accessories', /^round$/, fabric, 'accessoriesColor'),
  claim('(?:pair of )?{c}(?:glasses|eyeglasses|spectacles)', 'accessories', lensless, fabric, 'accessoriesColor'),
  claim('(?:eyepatch|eye patch)', 'accessories', /^eyepatch$/),
  claim('bearded', 'facialHair', beard),
  claim('{c}facial hair', 'facialHair', /^(beard|moustache)/, hair),
  claim('(?:short|trimmed) {c}beard', 'facialHair', /^beardLight$/, hair),
  claim('full {c}beard', 'facialHair', /^beardMedium$/, hair),
  claim('(?:big|long|bushy) {c}beard', 'facialHair', /^beardMajestic$/, hair),
  claim('{c}beard', 'facialHair', beard, hair),
  claim('curled {c}moustache', 'facialHair', /^moustacheFancy$/, hair),
  claim('thick {c}moustache', 'facialHair', /^moustacheMagnum$/, hair),
  claim('{c}m(?:ou|u)stache', 'facialHair', /^moustache/, hair),
  claim('wide-brimmed {c}hat', 'top', /^hat$/, fabric, 'hatColor'),
  claim('{c}sun hat', 'top', /^hat$/, fabric, 'hatColor'),
  claim('big {c}hat', 'top', /^hat$/, fabric, 'hatColor'),
  claim('{c}hat with ear flaps', 'top', /^winterHat1$/, fabric, 'hatColor'),
  claim('{c}hat with (?:cat )?ears', 'top', /^winterHat04$/, fabric, 'hatColor'),
  claim('{c}(?:knit|woolly) hat', 'top', /^winterHat02$/, fabric, 'hatColor'),
  claim('{c}beanie', 'top', /^winterHat0[23]$/, fabric, 'hatColor'),
  claim('warm {c}hat', 'top', /^winterHat1$/, fabric, 'hatColor'),
  claim('{c}winter hat', 'top', /^winterHat/, fabric, 'hatColor'),
  claim('{c}hat', 'top', hats, fabric, 'hatColor'),
  claim('{c}turban', 'top', /^turban$/, fabric, 'hatColor'),
  claim('{c}(?:hijab|headscarf)', 'top', /^hijab$/, fabric, 'hatColor'),
  claim('{c}(?:hoodie|hooded sweatshirt)', 'clothing', /^hoodie$/, fabric, 'clothesColor'),
  claim(
    '{c}(?:graphic t-shirt|printed t-shirt|t-shirt with a print)',
    'clothing',
    /^graphicShirt$/,
    fabric,
    'clothesColor',
  ),
  claim('{c}crew-neck shirt', 'clothing', /^shirtCrewNeck$/, fabric, 'clothesColor'),
  claim('{c}scoop-neck top', 'clothing', /^shirtScoopNeck$/, fabric, 'clothesColor'),
  claim('{c}v-neck(?: shirt)?', 'clothing', /^shirtVNeck$/, fabric, 'clothesColor'),
  claim('{c}t-shirt', 'clothing', /^(shirt|graphic)/, fabric, 'clothesColor'),
  claim('{c}shirt', 'clothing', /^shirt/, fabric, 'clothesColor'),
  claim('{c}(?:overalls|dungarees)', 'clothing', /^overall$/, fabric, 'clothesColor'),
  claim('{c}(?:sweater with a collar|sweater|jumper)', 'clothing', /^collarAndSweater$/, fabric, 'clothesColor'),
  claim('{c}(?:blazer|suit jacket|jacket)', 'clothing', /^blazer/, fabric, 'clothesColor'),
  claim('{c}(?:clothes|clothing|outfit)', 'clothing', /./, fabric, 'clothesColor'),
  claim('(?:bald head|no hair|shaved head|head is bald|bald)(?! top)', 'top', /^undefined$/),
  claim('(?:balding|receding hairline|bald top)', 'top', /^sides$/),
  claim('{c}hair on the sides only', 'top', /^sides$/, hair, 'hairColor'),
  claim('{c}hair with shaved sides', 'top', /^shavedSides$/, hair, 'hairColor'),
  claim('{c}undercut', 'top', /^shavedSides$/, hair, 'hairColor'),
  claim('{c}hair in a bun', 'top', /^bun$/, hair, 'hairColor'),
  claim('{c}(?:bun|top knot)', 'top', /^bun$/, hair, 'hairColor'),
  claim('flowers in {c}hair', 'top', /^frida$/, hair, 'hairColor'),
  claim('{c}hair and a flower crown', 'top', /^frida$/, hair, 'hairColor'),
  claim('flower crown', 'top', /^frida$/),
  claim('{c}(?:bob with bangs|hair with bangs)', 'top', /^miaWallace$/, hair, 'hairColor'),
  claim('{c}(?:bob haircut|bob)', 'top', /^(bob|miaWallace)$/, hair, 'hairColor'),
  claim('chin-length {c}hair', 'top', /^bob$/, hair, 'hairColor'),
  claim('(?:shoulder|medium)-length {c}hair', 'top', /^longButNotTooLong$/, hair, 'hairColor'),
  claim('short wavy {c}hair', 'top', /^shortWaved$/, hair, 'hairColor'),
  claim('(?:long wavy|wavy) {c}hair', 'top', /^curvy$/, hair, 'hairColor'),
  claim('(?:long straight|straight) {c}hair', 'top', /^straight/, hair, 'hairColor'),
  claim('long {c}dreadlocks', 'top', /^dreads$/, hair, 'hairColor'),
  claim('short {c}(?:dreads|dreadlocks)', 'top', /^dreads01$/, hair, 'hairColor'),
  claim('{c}(?:dreads|dreadlocks)', 'top', /^dreads$/, hair, 'hairColor'),
  claim('long {c}hair', 'top', long, hair, 'hairColor'),
  claim('big round {c}hair', 'top', /^fro$/, hair, 'hairColor'),
  claim('{c}afro with a headband', 'top', /^froBand$/, hair, 'hairColor'),
  claim('big {c}afro', 'top', /^fro$/, hair, 'hairColor'),
  claim('{c}afro', 'top', /^fro/, hair, 'hairColor'),
  claim('short curly {c}hair', 'top', /^shortCurly$/, hair, 'hairColor'),
  claim('(?:big )?curly {c}hair', 'top', /^curly$/, hair, 'hairColor'),
  claim('{c}curls', 'top', /^curly$/, hair, 'hairColor'),
  claim('(?:big|voluminous) {c}hair', 'top', /^bigHair$/, hair, 'hairColor'),
  claim('short spiky {c}hair', 'top', /^shortFlat$/, hair, 'hairColor'),
  claim('neat short {c}hair', 'top', /^shortRound$/, hair, 'hairColor'),
  claim('(?:very short|cropped) {c}hair', 'top', /^theCaesar/, hair, 'hairColor'),
  claim('{c}buzz cut', 'top', /^theCaesar/, hair, 'hairColor'),
  claim('short {c}hair', 'top', short, hair, 'hairColor'),
  claim('{c}mullet', 'top', /^shaggyMullet$/, hair, 'hairColor'),
  claim('shaggy {c}hair', 'top', /^shaggy/, hair, 'hairColor'),
  claim('tousled {c}hair', 'top', /^shaggy$/, hair, 'hairColor'),
  claim('messy {c}hair', 'top', /^(shaggy|dreads02)$/, hair, 'hairColor'),
  claim('(?:spiky|frizzy) {c}hair', 'top', /^dreads02$/, hair, 'hairColor'),
  claim('(?:tuft of {c}hair)', 'top', /^frizzle$/, hair, 'hairColor'),
  claim('{c}quiff', 'top', /^(frizzle|shortWaved)$/, hair, 'hairColor'),
  claim('{c}hair(?:ed)?', 'top', anyHair, hair, 'hairColor'),
  claim('{c}top', 'clothing', /^shirt(Crew|Scoop)Neck$/, fabric, 'clothesColor'),
  {
    pattern: new RegExp(`(?:dressed |all )?in (${words(fabric)})(?![\\w-])`),
    holds: claim('', 'clothing', /./, fabric, 'clothesColor').holds,
  },
  claim('(?:woman|lady|girl)', 'facialHair', /^undefined$/),
];

const fillers = new Set(
  (
    'a an the this of and in with on against front wearing wears is has person man guy photograph photo portrait picture avatar drawing cartoon ' +
    'illustration face background backdrop pair image close-up headshot sketch gentleman boy character human'
  ).split(' '),
);

function words(palette: Palette): string {
  return Object.keys(palette)
    .sort((a, b) => b.length - a.length)
    .join('|');
}

function onGround(extra: Extra, color: string | undefined): boolean {
  return color !== undefined && ground[color] === String(extra.primaryBackgroundColor).slice(1);
}

/** What DiceBear says that it has drawn. */
const drawnOf = (face: FaceAttributes): Extra => avatarOf(face, 64).toJson().extra;

/**
 * Reads a caption of what DiceBear says that it has drawn; returns how many facts it states, or throws with the first
 * false or unknown part.
 */
function verify(caption: string, extra: Extra): number {
  let rest = caption.toLowerCase().replace(/\.$/, '');
  let facts = 0;
  for (const { pattern, holds } of claims) {
    const match = pattern.exec(rest);
    if (!match) continue;
    const color = match.slice(1).find((group) => group !== undefined);
    const spoken = color?.replaceAll('-', ' ');
    if (!holds(extra, spoken)) throw new Error(`"${match[0]}" is false: ${caption} ${JSON.stringify(extra)}`);
    rest = rest.replace(match[0], '|');
    if (!/woman|lady|girl/.test(match[0])) facts++;
  }
  const unknown = rest.split(/[^a-z-]+/).filter((word) => word !== '' && !fillers.has(word));
  if (unknown.length > 0) throw new Error(`unread words ${unknown.join(' ')}: ${caption}`);
  return facts;
}

describe('captions', () => {
  const pairs = facePairs({ seed: 11, count: 6000, offset: 0 });
  let captions: string[];
  let drawn: Extra[];
  beforeAll(() => {
    captions = Array.from({ length: 6000 }, (_, i) => pairs.caption(i, i % 3));
    drawn = captions.map((_, i) => drawnOf(pairs.attributes(i)));
  });

  it('state 1 to 6 facts, all of them true, in words this test knows', () => {
    const counts = captions.map((caption, i) => verify(caption, drawn[i]!));
    expect(new Set(counts)).toEqual(new Set([1, 2, 3, 4, 5, 6]));
  });

  it('are caught by this test when they belong to another face', () => {
    const wrong = captions.filter((caption, i) => {
      try {
        verify(caption, drawn[(i + 1) % 6000]!);
        return false;
      } catch {
        return true;
      }
    });
    expect(wrong.length / captions.length).toBeGreaterThan(0.85);
  });

  it('come in many wordings', () => {
    expect(new Set(captions).size).toBeGreaterThan(5000);
    const ofOne = new Set(Array.from({ length: 200 }, (_, wording) => pairs.caption(0, wording)));
    expect(ofOne.size).toBeGreaterThan(150);
  });

  it('read like English', () => {
    for (const caption of captions) {
      expect(caption).not.toMatch(/ {2}|\{|undefined|,,|\ba [aeio]|\ban [^aeiou]|\ba a\b/i);
      expect(caption).toBe(caption.trim());
    }
  });

  it('are pure functions of their arguments', () => {
    const captionOf = (face: FaceAttributes) =>
      composeCaption(face, drawsOf({ seed: 4, stream: 'faces.captions', step: 0 }, 0));
    const face = faceAttributes(2, 3);
    expect(captionOf(face)).toBe(captionOf(faceAttributes(2, 3)));
    expect(facePairs({ seed: 11, count: 1, offset: 5 }).caption(0, 7)).toBe(pairs.caption(5, 7));
    expect(() => verify(captionOf(face), drawnOf(face))).not.toThrow();
  });
});
