/**
 * Character references of HTML 4 and numeric ones, turned back into characters: captions from the web are full of them.
 */

/** Names of U+00A0 to U+00FF, in order. */
const LATIN = `nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro
para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute
Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute
THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde
ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml`;

/** Names of the Greek letters from U+0391 and U+03B1; the gap is the final sigma, which has no capital. */
const GREEK = `Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi Rho - Sigma Tau Upsilon Phi Chi
Psi Omega`;

const SYMBOLS = `amp=& lt=< gt=> quot=" apos=' OElig=Œ oelig=œ Scaron=Š scaron=š Yuml=Ÿ fnof=ƒ circ=ˆ tilde=˜ sigmaf=ς thetasym=ϑ
upsih=ϒ piv=ϖ ndash=– mdash=— lsquo=‘ rsquo=’ sbquo=‚ ldquo=“ rdquo=” bdquo=„ dagger=† Dagger=‡ bull=• hellip=… permil=‰
prime=′ Prime=″ lsaquo=‹ rsaquo=› oline=‾ frasl=⁄ euro=€ image=ℑ weierp=℘ real=ℜ trade=™ alefsym=ℵ larr=← uarr=↑ rarr=→
darr=↓ harr=↔ crarr=↵ lArr=⇐ uArr=⇑ rArr=⇒ dArr=⇓ hArr=⇔ forall=∀ part=∂ exist=∃ empty=∅ nabla=∇ isin=∈ notin=∉ ni=∋ prod=∏
sum=∑ minus=− lowast=∗ radic=√ prop=∝ infin=∞ ang=∠ and=∧ or=∨ cap=∩ cup=∪ int=∫ there4=∴ sim=∼ cong=≅ asymp=≈ ne=≠ equiv=≡
le=≤ ge=≥ sub=⊂ sup=⊃ nsub=⊄ sube=⊆ supe=⊇ oplus=⊕ otimes=⊗ perp=⊥ sdot=⋅ lceil=⌈ rceil=⌉ lfloor=⌊ rfloor=⌋ lang=⟨ rang=⟩
loz=◊ spades=♠ clubs=♣ hearts=♥ diams=♦`;

/** Without glyphs of their own. */
const INVISIBLE: Readonly<Record<string, number>> = {
  ensp: 0x2002,
  emsp: 0x2003,
  thinsp: 0x2009,
  zwnj: 0x200c,
  zwj: 0x200d,
  lrm: 0x200e,
  rlm: 0x200f,
};

const names = (list: string): string[] => list.split(/\s+/);

const CHARACTERS: ReadonlyMap<string, string> = new Map([
  ...names(LATIN).map((name, i) => [name, String.fromCharCode(0xa0 + i)] as const),
  ...names(GREEK).flatMap((name, i) => [
    [name, String.fromCharCode(0x391 + i)] as const,
    [name.toLowerCase(), String.fromCharCode(0x3b1 + i)] as const,
  ]),
  ...names(SYMBOLS).map((entry) => entry.split('=') as [string, string]),
  ...Object.entries(INVISIBLE).map(([name, code]) => [name, String.fromCharCode(code)] as const),
]);

/** What browsers read the code points 0x80 to 0x9F as: Windows-1252, with its five gaps. */
const WINDOWS = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/**
 * Replaces `&name;`, `&#233;` and `&#xE9;` once: "&amp;amp;" becomes "&amp;". Names of HTML 4 are known (Latin-1 ones,
 * amp, lt, gt and quot also without the semicolon); others stay as they are.
 */
export function unescapeHtml(text: string): string {
  return text.replace(/&(?:#(?:x([0-9a-f]+)|([0-9]+));?|([a-z][a-z0-9]*)(;?))/gi, (whole, hex, decimal, name, end) => {
    if (hex !== undefined) return fromCode(Number.parseInt(hex, 16));
    if (decimal !== undefined) return fromCode(Number(decimal));
    return (end && CHARACTERS.get(name)) || unterminated(name + end) || whole;
  });
}

function fromCode(code: number): string {
  if (code >= 0x80 && code < 0xa0) return WINDOWS[code - 0x80]!;
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return '\ufffd';
  return String.fromCodePoint(code);
}

/** Names that old pages leave open: the longest known one that the word begins with, then the rest of the word. */
const OPEN_NAMES: ReadonlySet<string> = new Set([...names(LATIN), 'amp', 'lt', 'gt', 'quot']);

function unterminated(word: string): string | undefined {
  for (let length = word.length; length > 1; length--) {
    const name = word.slice(0, length);
    if (OPEN_NAMES.has(name)) return CHARACTERS.get(name)! + word.slice(length);
  }
  return undefined;
}
